"""From which size on a payload is better off as a file: python -m benchmarks.engine.payloads [--rounds N].

Payloads are laid down and committed one after the other, in the row and as a file in turn, then read; each is a store
of its own on SQLite. Reading a row hashes it; a file that this process hashed within the hour is not hashed again.
"""

import argparse
import os
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from reconciler.store import blobs
from reconciler.store.database import Store

SIZES = (1, 4, 8, 16, 32, 64, 128, 256)
"""Sizes of payloads in kB."""

COUNT = 40


def measured(store: Store, size: int, inline: int) -> tuple[float, float]:
    """Return the milliseconds that laying down and that reading one payload of `size` bytes took."""
    blobs.INLINE = inline
    contents = [os.urandom(size) for _ in range(COUNT)]
    began = time.perf_counter()
    names = []
    for content in contents:
        sealed = store.blobs.seal(content)
        with store.write() as tx:
            names.append(store.blobs.put(tx, sealed))
    laid = time.perf_counter()
    with store.read() as connection:
        for name in names:
            store.blobs.read(connection, name)
    return 1000 * (laid - began) / COUNT, 1000 * (time.perf_counter() - laid) / COUNT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = range(parser.parse_args().rounds)
    print("| size | laid down in the row / as a file, ms | read, ms |\n|---|---|---|")
    with (
        TemporaryDirectory() as folder,
        closing(Store(Path(folder) / "rows")) as rows,
        closing(Store(Path(folder) / "files")) as files,
    ):
        for size in (1024 * kilobytes for kilobytes in SIZES):
            found = [(measured(rows, size, inline=size), measured(files, size, inline=0)) for _ in rounds]
            row, file = ([median(times) for times in zip(*way, strict=True)] for way in zip(*found, strict=True))
            print(f"| {size // 1024} kB | {row[0]:.2f} / {file[0]:.2f} | {row[1]:.2f} / {file[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
