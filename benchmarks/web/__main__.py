"""Asks the pages and the admin API for lists and searches, over HTTP, and prints how long the answers took."""

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx

from benchmarks.web.world import WORDS, build
from reconciler.service.workspace import Workspace
from reconciler.store import tokens
from reconciler.store.tokens import Role
from reconciler.web.pages.visit import COOKIE
from tests.admin_site import serving

TARGET = 0.2
ROUNDS = 60


@contextmanager
def signed_in(workspace: Workspace) -> Iterator[httpx.Client]:
    """Yield a client with a session; the pages answer it as they answer a browser."""
    with workspace.store.write() as tx:
        made = tokens.create(
            tx,
            f"b-{time.time()}",
            Role.OPERATOR,
            account=None,
            expires_at=datetime.now(UTC) + timedelta(days=1),
            actor="b",
        )
    with serving(workspace) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        answer = client.post("/sign-in", data={"token": made.reveal()})
        session = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        client.headers["Cookie"] = f"{COOKIE}={session}"
        client.headers["Authorization"] = f"Bearer {made.reveal()}"
        yield client


def questions(random: Random, mailboxes: int, records: int) -> dict[str, str]:
    """Return one question of each kind; what it is about is another each time."""
    mailbox = random.randrange(mailboxes)
    account, number = f"company-{mailbox // 10}", random.randrange(records)
    address = f"accounts.{account}.mailboxes.mailbox-{mailbox}"
    return {
        "mailboxes: first page": "/integrations",
        "mailboxes: a page in the midst": f"/integrations?offset={mailbox}",
        "mailboxes: search": f"/integrations?q=mailbox-{mailbox}",
        "one mailbox": f"/integrations/{address}",
        "log: first page": "/log",
        "log: page 20": "/log?offset=950",
        "log: failed": "/log?status=FAILED",
        "log: no rule": "/log?no_rule=1",
        "log: of an account": f"/log?account={account}",
        "log: of a mailbox": f"/log?mailbox={address}",
        "log: a rare word": f"/log?keyword={number}",
        "log: a frequent word": f"/log?keyword={random.choice(WORDS)}",
        "log: two words, failed": f"/log?status=FAILED&keyword={random.choice(WORDS)}+{random.choice(WORDS)}",
        "reconcile": "/reconcile",
        "API: log, a word": f"/api/v1/log?keyword={random.choice(WORDS)}",
        "API: mailboxes": f"/api/v1/mailboxes?offset={mailbox}",
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mailboxes", type=int, default=10_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--world", type=Path, help="Where the store is kept for another run.")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        workspace = build(options.world or Path(folder) / "world", options.mailboxes, options.records)
        print(f"built in {time.perf_counter() - began:.0f} s")
        random = Random(1)
        taken: dict[str, list[float]] = {}
        with signed_in(workspace) as client:
            client.get("/log")  # the first request loads the admin side
            for _ in range(options.rounds):
                for name, path in questions(random, options.mailboxes, options.records).items():
                    began = time.perf_counter()
                    answer = client.get(path)  # all of it, not the first byte alone
                    spent = time.perf_counter() - began
                    assert answer.status_code == 200, (path, answer.text)
                    taken.setdefault(name, []).append(spent)
        workspace.close()
    print(f"{'':32} {'median':>9} {'95 %':>9}   of {TARGET * 1000:.0f} ms")
    for name, seconds in taken.items():
        late = statistics.quantiles(seconds, n=20)[-1]
        print(f"{name:32} {statistics.median(seconds) * 1000:6.0f} ms {late * 1000:6.0f} ms   {late / TARGET:.2f}")


if __name__ == "__main__":
    main()
