import io
from datetime import UTC, datetime, timedelta, timezone

import pytest

from reconciler.cli import terminal
from reconciler.model.credential import Secret


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "stream", "colour"),
    [
        ({}, Tty(), True),
        ({}, io.StringIO(), False),
        ({"NO_COLOR": "1"}, Tty(), False),
        ({"NO_COLOR": ""}, Tty(), True),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, Tty(), False),
        ({"FORCE_COLOR": "0"}, Tty(), False),
        ({"CI": "true"}, Tty(), False),
        ({"CI": "false"}, Tty(), True),
        ({"CI": "true", "FORCE_COLOR": "1"}, Tty(), True),
    ],
)
def test_who_gets_colours(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], stream: io.StringIO, colour: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal.wants_colour(stream) is colour


def test_a_partners_file_name_cannot_steer_the_terminal() -> None:
    assert terminal.printable("a\x1b[2J\u202eb\nc") == "a\\x1b[2J\\u202eb\nc"
    assert "\x1b" not in terminal.table(["NAME"], [["\x1b[2J"]])


def test_a_table_is_aligned_and_each_cell_stays_on_one_line() -> None:
    assert terminal.table(["NAME", "N"], [["a\nb", "1"], ["longer", ""]]) == "NAME    N\na b     1\nlonger"


def test_a_row_goes_on_below_itself_where_the_terminal_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    header, row = ["ID", "MAILBOX", "N", "ERROR"], ["1", "accounts.acme", "2", "the file cannot be read"]
    wide = "ID  MAILBOX        N  ERROR\n1   accounts.acme  2  the file cannot be read"
    assert terminal.table(header, [row]) == wide
    monkeypatch.setattr(terminal, "is_watched", lambda _: True)
    folded = ["ID  MAILBOX        N", "  ERROR", "1   accounts.acme  2", "  the file cannot be", "  read"]
    assert terminal.table(header, [row, ["2", "", "", ""]]) == "\n".join([*folded, "2"])


def test_a_listing_puts_a_value_of_several_lines_below_its_name() -> None:
    assert terminal.listing([("host", "h"), ("key", "one\ntwo\n")]) == "host:  h\nkey:\n  one\n  two"


def test_times_are_shown_in_utc() -> None:
    noon = datetime(2024, 5, 1, 12, 0, 0, 999, tzinfo=timezone(timedelta(hours=2)))
    assert terminal.moment(noon) == "2024-05-01 10:00:00Z"
    assert terminal.moment(noon.astimezone(UTC)) == terminal.moment(noon)


def test_a_result_holds_no_secret_by_mistake() -> None:
    with pytest.raises(TypeError, match="Secret has no place in a result"):
        terminal.write_json({"password": Secret("s3cret")})
