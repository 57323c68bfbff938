"""Fault 9: clocks put forward or back by an hour, and daylight saving that begins or ends, while work goes on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import and_, select

from reconciler.store import jobs, tables
from reconciler.store.job_states import JobState
from tests.acceptance.faults.sites import ARCHIVE, SALES, Site
from tests.acceptance.running_gateway import await_that
from tests.conftest import require_program

ZONE = "Europe/Berlin"
HOUR = timedelta(hours=1)


class Clock:
    """The clock of a process that libfaketime serves: the system's, moved."""

    def __init__(self, file: Path) -> None:
        self._file = file
        require_program("faketime", package="faketime")
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self.move(timedelta())
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": ZONE,
        }

    def move(self, by: timedelta) -> None:
        seconds = int(by.total_seconds())
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}")
        draft.replace(self._file)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["forward", "back"])
def test_a_clock_that_jumps_loses_hastens_and_reorders_nothing(
    new_site: Callable[..., Site], tmp_path: Path, jump: timedelta
) -> None:
    clock = Clock(tmp_path / "clock")
    site = new_site(environment=clock.environment)
    site.keep_order()
    with site.store.write() as tx:
        # What is to be done in half an hour is not done because somebody put the clock forward.
        jobs.add(tx, "mail", "later", delay=timedelta(minutes=30))
    site.send_expiring({"in 45 minutes": timedelta(minutes=45), "long ago": timedelta(minutes=-1)})
    site.accept_orders(range(5000, 5030))
    site.start()
    for number in range(5030, 5040):
        site.accept_orders(range(number, number + 1))
        if number == 5033:
            clock.move(jump)
        if number == 5037:
            clock.move(timedelta())
    await_that(lambda: site.done() == 2 * 40 + 2 * 2 + 1, "all work is done", 240)
    with site.store.read() as connection:
        later = jobs.listed(connection, [JobState.RETRYING], limit=10)
    assert sorted((row.kind, row.failures) for row in later) == [("expiry", 0), ("mail", 0)]
    assert sorted(site.names(SALES, "cinbox")) == sorted(f"ORDER_{number}.xml" for number in range(5000, 5040))
    names = delivered(site)
    status = {row.subject: row.status for row in site.workspace.envelopes(mailbox=ARCHIVE)}
    assert status == {"in 45 minutes": "SENT", "long ago": "EXPIRED"}
    assert names == [f"ORDER_{number}.xml" for number in range(5000, 5040)]


@pytest.mark.parametrize("month", [3, 10], ids=["begins", "ends"])
def test_daylight_saving_loses_hastens_delays_and_reorders_nothing(
    new_site: Callable[..., Site], tmp_path: Path, month: int
) -> None:
    clock = Clock(tmp_path / "clock")
    site = new_site(environment=clock.environment)
    site.keep_order()
    change = next_change(month)
    before, after = (change + timedelta(seconds=seconds) for seconds in (-1, 1))
    assert abs(offset(after) - offset(before)) == HOUR
    # Before the gateway starts: what is put while it runs, it does not believe.
    shift = change - timedelta(seconds=12) - datetime.now(UTC)
    clock.move(shift)
    site.start()
    ends = {"behind it": change + timedelta(seconds=2), "in 45 minutes": change + timedelta(minutes=45)}
    site.send_expiring({subject: end - datetime.now(UTC) for subject, end in ends.items()})
    site.accept_orders(range(5000, 5030))
    await_that(lambda: datetime.now(UTC) + shift > change, "the hour changes")
    site.accept_orders(range(5030, 5040))
    await_that(lambda: len(delivered(site)) == 40, "all orders are delivered", 240)
    assert delivered(site) == [f"ORDER_{number}.xml" for number in range(5000, 5040)]

    def status() -> dict[str, str]:
        return {row.subject: row.status for row in site.workspace.envelopes(mailbox=ARCHIVE)}

    await_that(lambda: status()["behind it"] == "EXPIRED", "what ends behind the change expires")
    assert status()["in 45 minutes"] == "SENT"


def offset(moment: datetime) -> timedelta:
    return ZoneInfo(ZONE).utcoffset(moment.astimezone(ZoneInfo(ZONE))) or timedelta()


def next_change(month: int) -> datetime:
    """Return the last Sunday of the next such month, at 1 o'clock UTC: then the clocks of Europe change."""
    now = datetime.now(UTC)
    change = now
    for year in (now.year, now.year + 1):
        last = datetime(year, month, 31, 1, tzinfo=UTC)
        change = last - timedelta(days=(last.weekday() + 1) % 7)
        if change > now:
            break
    return change


def delivered(site: Site) -> list[str]:
    """Return the names of Globex's orders as they were delivered."""
    record, arrival, event = tables.conversion.c, tables.arrival.c, tables.event.c
    in_order = (
        select(record.file_name)
        .join(tables.arrival, arrival.uuid == record.arrival)
        .join(tables.event, and_(event.envelope == arrival.envelope, event.mailbox == arrival.mailbox))
        .where(arrival.mailbox == site.mailbox(SALES), event.what == "delivered")
        .order_by(event.number)
    )
    with site.store.read() as connection:
        return list(connection.execute(in_order).scalars())
