"""Dictionaries: columns and records with UUIDs, found by UUID or by name."""

from uuid import UUID

import pytest

from reconciler.conversion.dictionary import Dictionaries, DictionaryError, Table
from reconciler.errors import ConversionError

R1, R2 = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
GLN, NAME = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
PARTNERS = (
    f'record,gln:{GLN},name:{NAME},city\n{R1},482,Acme,Berlin\n\n{R2.upper()},483,"Globex, Inc.",Berlin\n'.encode()
)


def test_a_value_is_found_by_names_and_by_uuids() -> None:
    table = Table.parse(PARTNERS)
    assert table.value("gln", "483", "name") == "Globex, Inc."
    assert table.value(GLN, "482", NAME.upper()) == "Acme"
    assert table.record("gln", "483") == R2
    assert table.value("record", R2, "gln") == "483"
    assert table.value("gln", "9", "name") is None
    assert table.record("gln", "") is None


def test_the_first_of_several_records_with_a_value_is_found() -> None:
    assert Table.parse(PARTNERS).record("city", "Berlin") == R1


def test_an_unknown_column_or_dictionary_is_an_error_that_names_it() -> None:
    dictionaries = Dictionaries([(UUID(int=7), "partners", Table.parse(PARTNERS))])
    assert dictionaries.table("partners") is dictionaries.table(str(UUID(int=7)))
    with pytest.raises(ConversionError, match="'others'") as caught:
        dictionaries.table("others")
    assert caught.value.code == "dictionary_unknown"
    with pytest.raises(ConversionError, match="'street'") as caught:
        dictionaries.table("partners").value("gln", "482", "street")
    assert caught.value.code == "column_unknown"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_character_after_record_separates_the_cells(separator: str) -> None:
    text = PARTNERS.decode().replace('"Globex, Inc."', "Globex").replace(",", separator)
    assert Table.parse(b"\xef\xbb\xbf" + text.encode()).value("gln", "483", "name") == "Globex"


def test_a_column_may_be_a_uuid_alone() -> None:
    assert Table.parse(f"record,{GLN}\n{R1},482\n".encode()).record(GLN, "482") == R1


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (b"", [(1, "the first line must be `record` and the columns' names")]),
        (b"name,gln\n", [(1, "the first line must be `record` and the columns' names")]),
        (b"record,a\n\xff,1\n", [(2, "the file is not UTF-8")]),
        (b"record,a,,a\n", [(1, "column 3 has no name"), (1, "the column 'a' is there twice")]),
        (f"record,a:{GLN},b:{GLN}\n".encode(), [(1, f"the column '{GLN}' is there twice")]),
        (b"record,a\nx,1\n", [(2, "'x' is no UUID of a record")]),
        (f"record,a\n{R1},1\n{R1},2\n".encode(), [(3, f"the record {R1} is there twice")]),
        (
            f"record,a\n{R1},1,2\n{R2}\n".encode(),
            [(2, "the record has 3 cells, the first line 2"), (3, "the record has 1 cells, the first line 2")],
        ),
        (f'record,a\n{R1},"1\n'.encode(), [(2, "unexpected end of data")]),
    ],
)
def test_all_mistakes_are_told_with_their_lines(content: bytes, faults: list[tuple[int, str]]) -> None:
    with pytest.raises(DictionaryError) as caught:
        Table.parse(content)
    assert [tuple(fault) for fault in caught.value.faults] == faults
