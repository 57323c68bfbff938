"""Compare: python -m benchmarks.configuration [--mailboxes N,N] [--objects N,N] [--rounds N].

Each figure is of a whole process as a user starts it, with those that it starts: wall time, processor time, peak
memory of the largest; the median of the rounds, in which what is compared takes turns. `cold` has no cache; `unchanged`
has the one of a run before, and so has `one file`, of which one file was edited since. `together` is the most memory
that a cold run and its processes have at one time (the sum of their proportional set sizes, in a run of its own).

octoDNS (from PyPI) plans as many records from YAML to YAML as this plans objects: a mailbox, its integration and its
two rules are four. In both 3 % differ. Ratios are of wall time and, in brackets, of processor time, which is moved less
by what else runs on the machine.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.configuration import tree, zones

CHANGED = 0.03
PER_MAILBOX = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """What a process took."""

    seconds: float
    cpu: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.cpu:.2f} s), {self.megabytes:.0f} MB"


def measured(command: list[str], folder: Path, environment: Mapping[str, str]) -> Figure:
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed in {folder}")
    return Figure(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def together(command: list[str], folder: Path, environment: Mapping[str, str]) -> float:
    """Return the most memory, in megabytes, that a process and those that it starts have at one time."""
    most = 0.0
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            most = max(most, sum(_proportional(pid) for pid in _tree(process.pid)))
            time.sleep(0.02)
    return most / 1024


def _tree(pid: int) -> list[int]:
    with suppress(OSError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        return [pid, *(one for child in children for one in _tree(child))]
    return []


def _proportional(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


class Configuration:
    """A configuration of so many mailboxes whose live side is as it was before 3 % were edited."""

    def __init__(self, folder: Path, mailboxes: int) -> None:
        self._folder = folder
        self._cache = folder.with_name(f"{folder.name}.cache")
        self._edits = 0
        tree.write(folder, mailboxes)
        live = [sys.executable, "-m", "benchmarks.configuration.live", str(folder)]
        subprocess.run(live, check=True, env={**os.environ, "RECONCILER_CACHE": ""})
        tree.write(folder, mailboxes, changed=CHANGED)

    def cold(self, command: str) -> Figure:
        return measured(*self._run(command, ""))

    def unchanged(self, command: str) -> Figure:
        if not self._cache.exists():
            measured(*self._run(command, str(self._cache)))
        return measured(*self._run(command, str(self._cache)))

    def one_file(self, command: str) -> Figure:
        self.unchanged(command)
        self._edits += 1
        tree.edit(self._folder, f"Edit {self._edits}")
        return measured(*self._run(command, str(self._cache)))

    def together(self, command: str) -> float:
        return together(*self._run(command, ""))

    def _run(self, command: str, cache: str) -> tuple[list[str], Path, Mapping[str, str]]:
        environment = {**os.environ, "RECONCILER_CACHE": cache}
        return [sys.executable, "-m", "reconciler", command], self._folder, environment


def rounds(number: int, *runs: Callable[[], Figure]) -> list[Figure]:
    """Return the medians of what takes turns."""
    taken: list[list[Figure]] = [[] for _ in runs]
    for _ in range(number):
        for run, figures in zip(runs, taken, strict=True):
            figures.append(run())
    return [
        Figure(median(one.seconds for one in of), median(one.cpu for one in of), median(one.megabytes for one in of))
        for of in taken
    ]


def against_targets(folder: Path, mailboxes: int, number: int) -> None:
    made = Configuration(folder, mailboxes)
    for command in ("plan", "validate"):
        cold, unchanged, one_file = rounds(
            number,
            lambda: made.cold(command),  # noqa: B023 - called at once
            lambda: made.unchanged(command),  # noqa: B023
            lambda: made.one_file(command),  # noqa: B023
        )
        memory = made.together(command)
        name = f"{command}, {mailboxes:,} mailboxes"
        print(f"| {name} | {cold} | {memory:.0f} MB | {unchanged} | {one_file} |", flush=True)


def against_octodns(folder: Path, objects: int, number: int) -> None:
    made = Configuration(folder, objects // PER_MAILBOX)
    config = zones.write(folder.with_name(f"{folder.name}.zones"), objects, changed=CHANGED)
    octodns = [str(Path(sys.executable).with_name("octodns-sync")), "--quiet", "--config-file", str(config)]
    theirs, cold, unchanged = rounds(
        number,
        lambda: measured(octodns, config.parent, os.environ),
        lambda: made.cold("plan"),
        lambda: made.unchanged("plan"),
    )
    print(
        f"| {objects:,} objects | {theirs} | {cold} | {ratio(theirs, cold)} "
        f"| {unchanged} | {ratio(theirs, unchanged)} |",
        flush=True,
    )


def ratio(theirs: Figure, ours: Figure) -> str:
    return f"{theirs.seconds / ours.seconds:.1f} ({theirs.cpu / ours.cpu:.1f})"


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.configuration")
    parser.add_argument("--mailboxes", type=numbers, default=[10_000], help="Sizes to measure against the targets.")
    parser.add_argument("--objects", type=numbers, default=[10_000], help="Sizes to measure against octoDNS.")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with TemporaryDirectory(prefix="benchmark-configuration-") as name:
        place = Path(name)
        version = rounds(
            max(chosen.rounds, 5),
            lambda: measured([sys.executable, "-m", "reconciler", "--version"], place, os.environ),
            lambda: measured([sys.executable, "-c", "pass"], place, os.environ),
        )
        print(f"`reconciler --version`: {version[0]}; Python alone: {version[1]}\n")
        print("| | cold | together | unchanged | one file |\n|---|---|---|---|---|")
        for mailboxes in chosen.mailboxes:
            against_targets(place / f"m{mailboxes}", mailboxes, chosen.rounds)
            shutil.rmtree(place / f"m{mailboxes}")
        if find_spec("octodns") is None:
            print("\noctoDNS is not there: pip install octodns")
            return
        print("\n| plan, 3 % changed | octodns-sync | cold | ratio | unchanged | ratio |\n|---|---|---|---|---|---|")
        for objects in chosen.objects:
            against_octodns(place / f"o{objects}", objects, chosen.rounds)


if __name__ == "__main__":
    main()
