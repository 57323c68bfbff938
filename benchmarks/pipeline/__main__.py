"""The whole path of an envelope, beside its limits: python -m benchmarks.pipeline [PART …] [--count N] [--rounds N].

Parts: throughput, latency, backlog, nodes, partners; all of them without one. PostgreSQL is a server of the benchmark's
own. What is compared is measured in turn, so that whatever else runs on the machine meets both; medians are printed.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.pipeline import backlog, latency, nodes, partners
from benchmarks.pipeline.throughput import measure
from benchmarks.pipeline.world import World
from tests.postgresql import PostgresqlServer, running_postgresql

PARTS = ("throughput", "latency", "backlog", "nodes", "partners")


def throughput(folder: Path, server: PostgresqlServer, mailboxes: list[int], count: int, rounds: int) -> None:
    print(
        f"{'store':10} {'mailboxes':>9} {'envelopes/s':>11} {'commits/s':>9} {'conversions/s':>13} {'of the lower':>12}"
    )
    for name in ("SQLite", "PostgreSQL"):
        for number in mailboxes:
            url = server.database() if name == "PostgreSQL" else None
            world = World(folder / f"{name}-{number}", mailboxes=number, url=url)
            found = measure(world, number=count, rounds=rounds)
            world.close()
            print(
                f"{name:10} {number:9,} {found.envelopes:11.0f} {found.commits:9.0f} {found.conversions:13.0f}"
                f" {found.ratio:12.0%}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--count", type=int, default=400, help="envelopes a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mailboxes", type=int, nargs="+", default=[1, 100, 10_000])
    given = parser.parse_args()
    parts = given.parts or PARTS
    with TemporaryDirectory() as home, running_postgresql(syncs=True) as server:
        folder = Path(home)
        if "throughput" in parts:
            throughput(folder, server, given.mailboxes, given.count, given.rounds)
        if "latency" in parts:
            latency.report(folder, server)
        if "backlog" in parts:
            backlog.report(folder, server)
        if "nodes" in parts:
            nodes.report(folder, server, given.count, given.rounds)
        if "partners" in parts:
            partners.report(folder, given.rounds)


if __name__ == "__main__":
    main()
