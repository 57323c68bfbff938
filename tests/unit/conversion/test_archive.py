"""The zip of a completed envelope."""

import zipfile
from io import BytesIO
from uuid import UUID

import pytest

from reconciler.conversion.archive import pack
from reconciler.model.rule import ArchivePart

UUID_ = UUID("22222222-2222-4222-8222-222222222222")


def _pack(*exclude: ArchivePart) -> bytes:
    return pack(
        envelope_uuid=UUID_,
        xml=b"<envelope/>",
        attachments=[("a.pdf", b"1"), ("A.pdf", b"2"), ("../../etc/passwd", b"3")],
        audit=b"sent",
        printable=b"%PDF",
        certificates=[("ca.pem", b"-")],
        exclude=exclude,
    )


def _names(content: bytes) -> list[str]:
    return zipfile.ZipFile(BytesIO(content)).namelist()


def test_everything_that_exists_is_packed_under_names_that_stay_inside() -> None:
    archive = zipfile.ZipFile(BytesIO(_pack()))
    assert {name: archive.read(name) for name in archive.namelist()} == {
        "envelope.xml": b"<envelope/>",
        "attachments/a.pdf": b"1",
        "attachments/A-2.pdf": b"2",
        "attachments/_.._etc_passwd": b"3",
        "printable.pdf": b"%PDF",
        "audit-trail.txt": b"sent",
        "certificates/ca.pem": b"-",
    }


@pytest.mark.parametrize(
    ("part", "name"),
    [("printable", "printable.pdf"), ("audit-trail", "audit-trail.txt"), ("certificates", "certificates/ca.pem")],
)
def test_an_excluded_part_is_left_out(part: ArchivePart, name: str) -> None:
    assert set(_names(_pack())) - set(_names(_pack(part))) == {name}


def test_what_does_not_exist_is_not_packed() -> None:
    assert _names(pack(envelope_uuid=UUID_, xml=b"<envelope/>")) == ["envelope.xml"]


def test_the_same_envelope_gives_the_same_bytes() -> None:
    assert _pack() == _pack()
