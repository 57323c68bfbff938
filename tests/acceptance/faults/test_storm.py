"""Fault 12: kills, one after the other, while a thousand jobs are worked off."""

import random
import time

import pytest

from tests.acceptance.faults.sites import Site
from tests.acceptance.running_gateway import await_that

KILLS = 12


@pytest.mark.timeout(900)
def test_twelve_kills_in_a_thousand_jobs_lose_and_double_nothing(site: Site) -> None:
    chance = random.Random(12)
    numbers = range(5000, 5500)  # each is a job OUT and a job IN
    site.accept_orders(numbers)
    for _ in range(KILLS):
        site.start()
        time.sleep(chance.uniform(0.05, 0.6))
        site.kill()
    site.start()
    await_that(lambda: site.pending() == site.resting(), "all is done but what saw deaths", 240)
    site.end_rests()
    site.await_drained()
    site.require_each_once(numbers)
