"""Date formats of name patterns, as Java and as spreadsheets write them: `yyyy-MM-dd_HH-mm-ss` and `DDMMYYYY` alike.

`y` and `Y` are the year, `d` and `D` the day of the month; `M` is always the month and `m` always the minute. Text in
apostrophes stands for itself, two apostrophes for one.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

_PIECE = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<text>[^A-Za-z'])")
_ABBREVIATED = 3
_FRACTION_DIGITS = 9


def _year(moment: datetime, count: int) -> str:
    return f"{moment.year % 100:02}" if count == 2 else f"{moment.year:0{count}}"  # noqa: PLR2004 - yy: two digits


def _month(moment: datetime, count: int) -> str:
    name = moment.strftime("%B")
    if count < _ABBREVIATED:
        return f"{moment.month:0{count}}"
    return name[:_ABBREVIATED] if count == _ABBREVIATED else name


def _weekday(moment: datetime, count: int) -> str:
    name = moment.strftime("%A")
    return name[:_ABBREVIATED] if count <= _ABBREVIATED else name


def _fraction(moment: datetime, count: int) -> str:
    return f"{moment.microsecond:06}000"[:count]


_LETTERS: Mapping[str, Callable[[datetime, int], str]] = MappingProxyType(
    {
        "y": _year,
        "Y": _year,
        "M": _month,
        "d": lambda moment, count: f"{moment.day:0{count}}",
        "D": lambda moment, count: f"{moment.day:0{count}}",
        "E": _weekday,
        "H": lambda moment, count: f"{moment.hour:0{count}}",
        "h": lambda moment, count: f"{(moment.hour - 1) % 12 + 1:0{count}}",
        "a": lambda moment, _: "AM" if moment.hour < 12 else "PM",  # noqa: PLR2004 - noon
        "m": lambda moment, count: f"{moment.minute:0{count}}",
        "s": lambda moment, count: f"{moment.second:0{count}}",
        "S": _fraction,
    }
)


def check(pattern: str) -> None:
    """Raise ValueError, saying what is wrong, when it is no date format."""
    formatted(pattern, datetime.min)  # noqa: DTZ901 - any moment shows whether the format is one


def formatted(pattern: str, moment: datetime) -> str:
    """Return a moment in a format, in the moment's own time zone. Raises ValueError as `check` does."""
    if not pattern.strip():
        raise ValueError("the date needs a format, such as {date yyyy-MM-dd}")
    result, at = "", 0
    while at < len(pattern):
        piece = _PIECE.match(pattern, at)
        if piece is None:
            raise ValueError(f"the date format {pattern} has an apostrophe that is not closed")
        result += _written(piece, moment)
        at = piece.end()
    return result


def _written(piece: re.Match[str], moment: datetime) -> str:
    letters: str | None = piece["letters"]
    if letters is None:
        quoted: str | None = piece["quoted"]
        return piece["text"] if quoted is None else quoted.replace("''", "'") or "'"
    write = _LETTERS.get(letters[0])
    if write is None or len(letters) > _FRACTION_DIGITS:
        raise ValueError(
            f"{letters} is not part of a date format; there are {' '.join(_LETTERS)}; quote other text: 'T'"
        )
    return write(moment, len(letters))
