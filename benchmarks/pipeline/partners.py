"""A healthy AS2 partner, alone and beside one with a backlog that does not answer: p95 from receipt to confirmed."""

import time
from pathlib import Path
from statistics import median

from sqlalchemy import select

from reconciler.protocols.as2.simulator import Behaviour
from reconciler.store import tables
from tests.acceptance.faults.partners import SALES_AS2_GLN, STEADY_GLN, Partners, order_of
from tests.acceptance.faults.sites import Site

ORDERS = 60
PAUSE = 0.05
BACKLOG = 200


def p95(site: Site, first: int) -> float:
    """Return the milliseconds of the orders from `first` on, one every 50 ms."""
    for number in range(first, first + ORDERS):
        site.accept({f"ORDERS_{number}.edi": order_of(site.folder, number, STEADY_GLN)})
        time.sleep(PAUSE)
    names = {f"ORDER_{number}.csv": number for number in range(first, first + ORDERS)}
    while True:
        with site.store.read() as connection:
            sent = select(tables.post.c.file_name, tables.post.c.changed_at).where(tables.post.c.state == "delivered")
            found = {name: at for name, at in connection.execute(sent) if name in names}
            got = dict(connection.execute(select(tables.receipt.c.name, tables.receipt.c.received_at)).tuples().all())
        if len(found) == ORDERS:
            break
        time.sleep(0.1)
    took = sorted((at - got[f"ORDERS_{names[name]}.edi"]).total_seconds() * 1000 for name, at in found.items())
    return took[int(ORDERS * 0.95)]


def report(folder: Path, rounds: int) -> None:
    site = Site(folder / "partners", url=None, payloads=None, like=None, state=None, environment=None)
    partners = Partners(site)
    partners.start(steady=True)
    bad = [Behaviour.RESET, Behaviour.UNAVAILABLE, Behaviour.NO_MDN]
    partners.start(behaviours=bad)
    site.start()
    p95(site, 1000)
    ratios, alone, beside = [], [], []
    for number in range(rounds):
        alone.append(p95(site, 10_000 + number * ORDERS))
        backlog = range(20_000 + number * BACKLOG, 20_000 + (number + 1) * BACKLOG)
        site.accept({f"ORDERS_{n}.edi": order_of(site.folder, n, SALES_AS2_GLN) for n in backlog})
        while site.posts("waiting") < (number + 1) * BACKLOG:
            time.sleep(0.1)
        beside.append(p95(site, 30_000 + number * ORDERS))
        ratios.append(beside[-1] / alone[-1])
    partners.stop()
    site.close()
    print(
        f"a healthy partner's p95: {median(alone):.0f} ms alone, {median(beside):.0f} ms beside one that fails with"
        f" {BACKLOG} messages, ratio {median(ratios):.2f}",
        flush=True,
    )
