"""Compare: python -m benchmarks.sftp [--rounds N] [--cipher NAME] [--only ROW] [--servers A,B].

Every figure is a ratio to sshd with internal-sftp, of times that were measured in turn, so that what else runs on the
machine meets all of them; the median of the rounds is printed. More than 1 is faster than sshd.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.sftp.servers import Served, make_key, running

LARGE = 200_000_000
SMALL = 10_000
FILES = 1000
CLIENTS = 32
IDLE = 200


class Work:
    """What the clients do. Each method returns the seconds that one server took."""

    def __init__(self, folder: Path, cipher: str) -> None:
        self.folder = folder
        self.cipher = cipher
        self.random = Random(1)
        self.large = folder / "large.bin"
        self.large.write_bytes(self.random.randbytes(LARGE))
        self.times = 0
        self.small = self.new_files()

    def new_files(self) -> Path:
        """Return a folder of files that no server has: what is there already costs some less, and some more."""
        self.times += 1
        small = self.folder / f"small{self.times}"
        small.mkdir()
        for number in range(FILES):
            (small / f"{self.times}-{number:04}").write_bytes(self.random.randbytes(SMALL))
        return small

    def upload(self, server: Served) -> float:
        return self._timed(server, f"put {self.large} {server.folder}/large.bin")

    def download(self, server: Served) -> float:
        target = self.folder / f"{server.name}.back"
        taken = self._timed(server, f"get {server.folder}/large.bin {target}")
        target.unlink()
        return taken

    def four_up(self, server: Served) -> float:
        return self._at_once(server, [f"put {self.large} {server.folder}/large{number}" for number in range(4)])

    def four_down(self, server: Served) -> float:
        backs = [self.folder / f"{server.name}{number}.back" for number in range(4)]
        taken = self._at_once(server, [f"get {server.folder}/large.bin {back}" for back in backs])
        for back in backs:
            back.unlink()
        return taken

    def small_files(self, server: Served) -> float:
        return self._timed(server, f"put {self.new_files()}/* {server.folder}/")

    def logins(self, server: Served) -> float:
        first = next(self.small.iterdir())
        return self._at_once(
            server, [f"put {first} {server.folder}/l{number}" for number in range(CLIENTS * 3)], CLIENTS
        )

    def _timed(self, server: Served, line: str) -> float:
        began = time.perf_counter()
        command = server.sftp("-b", "-", cipher=self.cipher)
        subprocess.run(command, input=line.encode(), check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    def _at_once(self, server: Served, lines: list[str], clients: int = 4) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(lambda line: self._timed(server, line), lines))
        return time.perf_counter() - began


ROWS: dict[str, tuple[str, Callable[[Work, Served], float], float]] = {
    "upload": ("one upload of 200 MB", Work.upload, 2.0),
    "download": ("one download of 200 MB", Work.download, 1.2),
    "up4": ("four uploads of 200 MB at once", Work.four_up, 1.2),
    "down4": ("four downloads of 200 MB at once", Work.four_down, 1.2),
    "small": ("1,000 files of 10 kB in a session", Work.small_files, 1.2),
    "logins": ("logins with an upload, 32 clients", Work.logins, 3.0),
}


def idle(server: Served) -> tuple[float, float]:
    """Return the bytes and the share of a processor that an idle session costs."""
    # One before, for what a server loads at its first login.
    subprocess.run(server.sftp("-b", "-"), input=b"pwd\n", check=True, stdout=subprocess.DEVNULL)
    before = server.memory()
    clients = [
        subprocess.Popen(server.sftp(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(IDLE)
    ]
    try:
        for client in clients:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(b"pwd\n")
            client.stdin.flush()
            if not client.stdout.readline():
                raise RuntimeError(f"{server.name} did not serve a session")
        used, began = server.cpu(), time.monotonic()
        time.sleep(5)
        share = (server.cpu() - used) / (time.monotonic() - began)
        return (server.memory() - before) / IDLE, share
    finally:
        for client in clients:
            client.kill()
            client.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cipher", default="", help="such as aes256-gcm@openssh.com; default: the client's choice")
    parser.add_argument("--only", default=",".join(["idle", *ROWS]))
    parser.add_argument("--servers", default="sshd,reconciler,asyncssh")
    chosen = parser.parse_args()
    names = chosen.servers.split(",")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=Path.cwd())))
        key = make_key(folder)
        servers = [stack.enter_context(running(name, folder, key)) for name in names]
        work = Work(folder, chosen.cipher)
        print(f"{'':36}" + "".join(f"{name:>24}" for name in names) + f"{'target':>10}")
        for row in chosen.only.split(","):
            if row == "idle":
                found = [idle(server) for server in servers]
                cells = (f"{size / 1000:.0f} kB {share:.1%} CPU" for size, share in found)
                print(f"{'an idle session of 200':36}" + "".join(f"{cell:>24}" for cell in cells))
                continue
            title, act, target = ROWS[row]
            if row in {"download", "down4"} and "upload" not in chosen.only:
                for server in servers:
                    work.upload(server)
            times: list[list[float]] = [[] for _ in servers]
            for _ in range(chosen.rounds):
                for taken, server in zip(times, servers, strict=True):
                    taken.append(act(work, server))
            ratios = [median(one / other for one, other in zip(times[0], taken, strict=True)) for taken in times]
            cells = (f"{median(taken):.2f} s  {ratio:.2f}" for taken, ratio in zip(times, ratios, strict=True))
            print(f"{title:36}" + "".join(f"{cell:>24}" for cell in cells) + f"{target:>10}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
