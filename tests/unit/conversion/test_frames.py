"""Messages between the gateway and its workers."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.conversion.frames import BrokenConversationError, Message, read, write


@given(st.dictionaries(st.text(), st.text() | st.none() | st.booleans()), st.lists(st.binary()))
def test_what_is_written_is_read_and_no_beginning_of_it_is(header: dict[str, str | None], frames: list[bytes]) -> None:
    stream = io.BytesIO()
    write(stream, Message(dict(header), frames))
    data = stream.getvalue()
    message = read(io.BytesIO(data + b"the next"))
    assert (message.header, list(message.frames)) == (header, frames)
    with pytest.raises(BrokenConversationError):
        read(io.BytesIO(data[:-1]))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}",
        b"[]",
        b"[{}]",
        b"[[], []]",
        b"[{}, 1]",
        b"[{}, [-1]]",
        b'[{}, ["1"]]',
        b"[{}, [0.5]]",
        b"[{}, [9999999999]]",
        b"[{}, [0" + b",0" * 100_000 + b"]]",
        b"\xff",
        b"[[" * 9999,
    ],
)
def test_what_is_no_message_is_refused(header: bytes) -> None:
    with pytest.raises(BrokenConversationError):
        read(io.BytesIO(len(header).to_bytes(8, "big") + header))


def test_a_frame_of_impossible_length_is_refused_before_it_is_read() -> None:
    with pytest.raises(BrokenConversationError, match="longer"):
        read(io.BytesIO(b"\xff" * 8))
