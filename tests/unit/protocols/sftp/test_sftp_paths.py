"""Paths and permissions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.folders import FOLDERS
from reconciler.protocols.sftp.paths import File, Folder, Place, Root, absolute, resolve, written
from reconciler.protocols.sftp.permissions import require_move, require_upload


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (b"", Root()),
        (b"/", Root()),
        (b".", Root()),
        (b"..", Root()),
        (b"/../../..", Root()),
        (b"/inbox/..", Root()),
        (b"inbox", Folder("inbox")),
        (b"//coutbox//", Folder("coutbox")),
        (b"/inbox/../error/.", Folder("error")),
        (b"coutbox/a.edi", File("coutbox", "a.edi")),
        (b"/coutbox/../../coutbox/a b", File("coutbox", "a b")),
        (b"/outbox/..a", File("outbox", "..a")),
        ("/coutbox/u\u0308.edi".encode(), File("coutbox", "ü.edi")),
        (b"/coutbox/" + b"a" * 255, File("coutbox", "a" * 255)),
    ],
)
def test_a_path_means_one_place(path: bytes, place: Place) -> None:
    assert resolve(path) == place


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        (b"/etc/passwd", Refusal.NO_SUCH_FILE),
        (b"../../etc/passwd", Refusal.NO_SUCH_FILE),
        (b"/coutbox/../../../etc/passwd", Refusal.NO_SUCH_FILE),
        (b"/coutbox/sub/a.edi", Refusal.NO_SUCH_FILE),
        (b"/COUTBOX/a.edi", Refusal.NO_SUCH_FILE),
        (b"/coutbox/a\0b", Refusal.BAD_NAME),
        (b"/coutbox/a\nb", Refusal.BAD_NAME),
        (b"/coutbox/a\x7fb", Refusal.BAD_NAME),
        (b"/coutbox/..\\..\\a", Refusal.BAD_NAME),
        ("/coutbox/a\u2028b".encode(), Refusal.BAD_NAME),
        (b"/coutbox/\xff", Refusal.BAD_NAME),
        (b"/coutbox/" + b"a" * 256, Refusal.BAD_NAME),
        (b"/coutbox/" + "ü".encode() * 128, Refusal.BAD_NAME),
        (b"/./" * 2000, Refusal.BAD_NAME),
    ],
)
def test_what_is_no_place_is_refused(path: bytes, refusal: Refusal) -> None:
    with pytest.raises(RefusedError) as caught:
        resolve(path)
    assert caught.value.refusal is refusal


@given(st.lists(st.sampled_from(["..", ".", "", "coutbox", "a", "/", "%2e%2e", "..;"])).map("/".join))
def test_no_path_leads_out(path: str) -> None:
    try:
        place = resolve(path.encode())
    except RefusedError:
        return
    assert isinstance(place, Root) or written(place).split("/")[1] in FOLDERS
    assert ".." not in written(place).split("/")
    assert absolute(path.encode()) == written(place)


def test_files_are_uploaded_where_partners_send_from() -> None:
    allowed = set()
    for folder in FOLDERS:
        try:
            require_upload(folder)
        except RefusedError as refused:
            assert refused.refusal is Refusal.PERMISSION_DENIED  # noqa: PT017 - which of the five raise is the question
        else:
            allowed.add(folder)
    assert allowed == {"outbox", "coutbox"}


def test_files_are_moved_to_be_renamed_or_run_again() -> None:
    allowed = set()
    for source in FOLDERS:
        for target in FOLDERS:
            try:
                require_move(source, target)
            except RefusedError:
                continue
            allowed.add((source, target))
    assert allowed == {("outbox", "outbox"), ("coutbox", "coutbox"), ("error", "coutbox"), ("error", "cinbox")}
