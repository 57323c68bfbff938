"""What a faulty or hostile partner makes of bytes."""

import random


def spoilt(source: random.Random, data: bytes) -> bytes:
    """Return data with some bytes changed, dropped, doubled, cut off or replaced by noise."""
    found = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(found) or 1)
        match source.randrange(6):
            case 0:
                found[at : at + 1] = source.randbytes(1)
            case 1:
                del found[at : at + source.randint(1, 60)]
            case 2:
                found[at:at] = found[at : at + source.randint(1, 60)]
            case 3:
                del found[max(at, 1) :]
            case 4:
                # Where a length may stand.
                found[at : at + 1] = source.choice(
                    (b"\x80", b"\x84\xff\xff\xff\xff", b"\x00\x00", b"\x30\x80", b"\x24\x80")
                )
            case _:
                found[at : at + 20] = source.randbytes(source.randint(0, 40))
    return bytes(found)
