"""Fault 10: payloads that are half written, changed by a bit, or gone."""

from collections.abc import Callable

import pytest

from reconciler.store.shelf import FolderShelf
from tests.acceptance.faults.sites import ACME, SALES, Site

PADDING = b"\n" * 40_000
"""What makes an order too large for its row."""


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


@pytest.mark.parametrize(
    ("harm", "fault"),
    [(half, "damaged payload"), (flipped, "damaged payload"), (None, "missing payload")],
    ids=["half written", "a bit flipped", "missing"],
)
def test_what_is_damaged_is_found_and_nothing_wrong_is_delivered(
    new_site: Callable[..., Site], harm: Callable[[bytes], bytes] | None, fault: str
) -> None:
    site = new_site()
    site.accept({"ORDERS_5000.edi": site.order(5000) + PADDING, "ORDERS_5001.edi": site.order(5001)})
    shelf = site.store.blobs.shelf
    assert isinstance(shelf, FolderShelf)
    (lying,) = shelf.lying()
    path = shelf.path(lying.name)
    if harm is None:
        path.unlink()
    else:
        path.write_bytes(harm(path.read_bytes()))
    site.start()
    site.await_processed(2)
    assert site.names(SALES, "cinbox") == ["ORDER_5001.xml"]
    failed = next(record for record in site.workspace.log(mailbox=ACME) if record.status == "FAILED")
    assert (failed.file_name, failed.error_code) == ("ORDERS_5000.edi", "payload_damaged")
    site.kill()

    found = site.command("fsck")
    assert (found.returncode, fault in found.stdout, lying.name in found.stdout) == (1, True, True), found
    site.command("fsck", "--repair")
    quarantined = site.store.folder / "quarantine" / lying.name
    assert quarantined.exists() == (harm is not None)

    # The same bytes, received once more, heal it: then the record can be run again.
    site.accept({"ORDERS_5002.edi": site.order(5000) + PADDING})
    site.start()
    site.await_processed(3)
    assert site.command("log", "reprocess", str(failed.uuid)).returncode == 0
    site.await_processed(3)
    assert site.command("fsck").returncode == 0
    assert len(site.workspace.envelopes(mailbox=ACME)) == 3
