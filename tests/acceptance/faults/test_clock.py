"""Fault 9: clocks that are put forward or back by an hour, as by hand or by daylight saving, while work goes on."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from reconciler.store import jobs, tables
from reconciler.store.job_states import JobState
from tests.acceptance.faults.sites import ARCHIVE, SALES, Site
from tests.acceptance.running_gateway import await_that
from tests.conftest import require_program

ZONES = "Europe/Berlin"


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
            "TZ": ZONES,
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
    await_that(lambda: site.done() == 2 * 40 + 2 * 2 + 1, "all work is done", 90)
    with site.store.read() as connection:
        later = jobs.listed(connection, [JobState.RETRYING], limit=10)
    assert sorted((row.kind, row.failures) for row in later) == [("expiry", 0), ("mail", 0)]
    assert sorted(site.names(SALES, "cinbox")) == sorted(f"ORDER_{number}.xml" for number in range(5000, 5040))
    with site.store.read() as connection:
        in_order = (
            select(tables.file.c.name)
            .where(tables.file.c.mailbox == site.mailbox(SALES))
            .order_by(tables.file.c.number)
        )
        names = list(connection.execute(in_order).scalars())
    status = {row.subject: row.status for row in site.workspace.envelopes(mailbox=ARCHIVE)}
    assert status == {"in 45 minutes": "SENT", "long ago": "EXPIRED"}
    assert names == [f"ORDER_{number}.xml" for number in range(5000, 5040)]
