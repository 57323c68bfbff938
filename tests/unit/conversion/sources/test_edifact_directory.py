"""The notation of directories, and how a segment finds its place."""

import pytest

from reconciler.conversion.sources import to_xml
from reconciler.conversion.sources.directory import DirectoryError, parse_directory
from reconciler.conversion.sources.edifact.directories import Directories
from reconciler.errors import ConversionError

IFTSTA = """
directory D96A
segments CNI=scs    # as a user writes it
message IFTSTA  BGM DTM (CNI (STS RFF))
"""


@pytest.mark.parametrize(
    ("directory", "kind", "number"),
    [
        ("D96A", "ORDERS", 25),
        ("D01B", "ORDERS", 28),
        ("D93A", "ORDERS", 25),
        ("D96A", "INVOIC", 25),
        ("D01B", "PRICAT", 36),
    ],
)
def test_the_line_items_are_in_the_group_that_the_directory_numbers(directory: str, kind: str, number: int) -> None:
    message = Directories().structure(directory, kind).message
    assert [place.group.number for place in message.places if place.tag == "LIN" and place.trigger] == [number]


KINDS = ["CONTRL", "DESADV", "INVOIC", "INVRPT", "ORDERS", "ORDRSP", "PARTIN", "PRICAT", "SLSRPT"]
LATER_KINDS = ["APERAK", "RECADV"]


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        *(("D93A", kind) for kind in KINDS),
        *((directory, kind) for directory in ("D96A", "D01B") for kind in KINDS + LATER_KINDS),
    ],
)
def test_every_message_has_a_table_and_every_segment_in_it_is_known(directory: str, kind: str) -> None:
    directories = Directories()
    message = directories.structure(directory, kind).message
    assert not message.loose
    assert [place.tag for place in message.places if not directories.elements(directory, place.tag)] == []


@pytest.mark.parametrize(
    ("directory", "nearest"), [("D95B", "D96A"), ("D97A", "D96A"), ("D99B", "D01B"), ("D16A", "D01B"), ("1911", "D93A")]
)
def test_a_directory_without_table_is_read_as_the_nearest_in_time(directory: str, nearest: str) -> None:
    message = Directories().structure(directory, "ORDERS").message
    assert (message.directory, message.loose) == (nearest, True)


@pytest.mark.parametrize("name", ["096A", "S96A", "D96A"])
def test_the_release_alone_says_the_directory(name: str) -> None:
    message = Directories().structure(name, "ORDERS").message
    assert (message.directory, message.loose) == ("D96A", False)


def test_a_table_of_the_user_goes_before_the_nearest_built_in_one() -> None:
    given = parse_directory("directory D97A message ORDERS BGM (LIN (GEI))")
    message = Directories([given]).structure("D97A", "ORDERS").message
    assert (message.directory, message.loose) == ("D97A", False)


def test_a_user_adds_a_message_type() -> None:
    message = b"UNH+1+IFTSTA:D:96A:UN'BGM+23+1'CNI+1+X'STS+1+13'RFF+CU:7'STS+1+21'UNT+7+1'"
    interchange = b"UNB+UNOC:3+A+B+261121:1200+1'" + message + b"UNZ+1+1'"
    xml = to_xml(interchange, file_name="a.edi", directories=[IFTSTA])
    assert xml.count(b"<GROUP_1>") == 1
    assert xml.count(b"<GROUP_2>") == 2
    assert b"<CNI02><CNI0201>X</CNI0201></CNI02>" in xml


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "begins with: directory NAME"),
        ("directory d96a", "written in capitals"),
        ("directory X nonsense", "expected segments or message, found nonsense"),
        ("directory X segments BGM=cx", "BGM=cx is not of the form"),
        ("directory X message A BGM (", "group 1 is not closed"),
        ("directory X message A (RFF DTM", "group 1 is not closed"),
        ("directory X message A RFF )", "closes nothing"),
        ("directory X message A ((RFF))", "begins with a segment"),
        ("directory X message A bgm", "bgm is neither"),
    ],
)
def test_a_mistake_in_a_directory_is_named(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
        parse_directory(text)
    with pytest.raises(ConversionError) as refused:
        to_xml(b"UNB", file_name="a.edi", directories=[text])
    assert refused.value.code == "edifact_directory"


def test_a_mistake_in_a_directory_has_a_line() -> None:
    with pytest.raises(DirectoryError) as wrong:
        parse_directory("directory X # ()\n\nmessage A BGM\n  (RFF ?\n  DTM)")
    assert (wrong.value.line, wrong.value.reason) == (4, "message A: ? is neither a segment tag nor ( or )")
