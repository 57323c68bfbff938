"""UUIDs of rows: of version 7, in the order of their milliseconds, each its own."""

import time
from uuid import RFC_4122

import pytest

from reconciler.store.row_uuid import new_row_uuid

MOMENT = 0x017F22E279B0
"""The milliseconds of RFC 9562's example of version 7."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the milliseconds that the clock shows, as a list of one."""
    shown = [MOMENT]
    monkeypatch.setattr(time, "time_ns", lambda: shown[0] * 1_000_000 + 999_999)
    return shown


def test_has_the_fields_of_version_7(clock: list[int]) -> None:
    made = new_row_uuid()
    assert (made.version, made.variant, made.int >> 80) == (7, RFC_4122, clock[0])
    assert str(made).startswith("017f22e2-79b0-7")


def test_a_later_millisecond_sorts_behind(clock: list[int]) -> None:
    made = []
    for _ in range(50):
        made.append(new_row_uuid())
        clock[0] += 1
    assert made == sorted(made)
    assert [str(each) for each in made] == sorted(map(str, made))


def test_those_of_one_millisecond_differ_in_every_other_bit(clock: list[int]) -> None:
    made = [new_row_uuid().int for _ in range(1000)]
    assert len(set(made)) == len(made)
    ever, always = 0, made[0]
    for each in made:
        ever, always = ever | each, always & each
    assert (ever ^ always).bit_count() == 74
    assert made[0] >> 80 == clock[0]
