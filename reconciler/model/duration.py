"""Lengths of time as people write them: `90d`, `12h`, `30m`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
PATTERN = r"^[1-9][0-9]{0,5}[wdhms]$"


def parse_duration(text: str) -> timedelta:
    """Return the length of time that a text such as `90d` says. Raises ValueError when it says none."""
    if not re.fullmatch(PATTERN, text):
        raise ValueError(f"expected a number and a unit (w, d, h, m or s), such as 90d, got '{text}'")
    return int(text[:-1]) * _UNITS[text[-1]]


def shown_duration(length: timedelta) -> str:
    """Return a length of time in the largest unit that it is a whole number of, weeks as days."""
    unit = next(unit for unit in ("d", "h", "m", "s") if unit == "s" or not length % _UNITS[unit])
    return f"{length // _UNITS[unit]}{unit}"


def _read(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(shown_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]
"""A length of time, as text in YAML and JSON: what means the same is written the same."""
