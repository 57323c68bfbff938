"""The zip of a completed envelope.

envelope.xml              the envelope
attachments/NAME          its files; a second of the same name is NAME-2 before the extension
printable.pdf · audit-trail.txt · certificates/NAME      unless they are excluded
"""

import re
import zipfile
from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import PurePosixPath
from uuid import UUID

from reconciler.model.rule import ArchivePart

_EPOCH = (1980, 1, 1, 0, 0, 0)  # The same content gives the same bytes: zip cannot say "no time", so all say its first.
_UNSAFE = re.compile(r'[\\/:?*<>|"\x00-\x1f\x7f]')


def pack(
    *,
    envelope_uuid: UUID,
    xml: bytes,
    attachments: Sequence[tuple[str, bytes]] = (),
    audit: bytes | None = None,
    printable: bytes | None = None,
    certificates: Sequence[tuple[str, bytes]] = (),
    exclude: Collection[ArchivePart] = (),
) -> bytes:
    """Return the zip. Names of attachments and certificates lose what could lead out of the folder they unpack into."""
    files = [("envelope.xml", xml), *_named("attachments", attachments)]
    if printable is not None and "printable" not in exclude:
        files.append(("printable.pdf", printable))
    if audit is not None and "audit-trail" not in exclude:
        files.append(("audit-trail.txt", audit))
    if "certificates" not in exclude:
        files.extend(_named("certificates", certificates))
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = str(envelope_uuid).encode()
        for name, content in files:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _named(folder: str, files: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    taken: set[str] = set()
    named: list[tuple[str, bytes]] = []
    for given, content in files:
        safe = PurePosixPath(_UNSAFE.sub("_", given).lstrip(".") or "_")
        name, number = safe.name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{safe.stem}-{number}{safe.suffix}"
        taken.add(name.casefold())
        named.append((f"{folder}/{name}", content))
    return named
