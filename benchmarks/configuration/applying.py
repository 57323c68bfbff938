"""Apply many AS2 mailboxes: python -m benchmarks.configuration.applying [--mailboxes N] [--keys N].

A key of RSA 3072 takes a sixth of a second of a core, ten thousand half an hour of one. So `--keys` of them are made
and timed, on all cores as an apply makes them; the apply then takes its keys from these in turn, and all else that it
does is real: a certificate for each mailbox, what is encrypted, the transaction.
"""

import argparse
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from reconciler.apply import credentials
from reconciler.model.credential import Credential, CredentialKind
from reconciler.service.workspace import Workspace

PER_FILE = 10


def write(folder: Path, mailboxes: int) -> None:
    """Write a configuration of so many AS2 mailboxes, all with one partner's certificate."""
    partner = credentials.generate(Credential(kind=CredentialKind.CERTIFICATE, subject="partner")).public
    (folder / "accounts").mkdir()
    (folder / "partner.pem").write_text(partner or "")
    (folder / "reconciler.yaml").write_text("version: 1\n")
    for number in range(mailboxes // PER_FILE):
        lines = ["version: 1", "accounts:", f"  company-{number}:", "    mailboxes:"]
        for mailbox in range(number * PER_FILE, (number + 1) * PER_FILE):
            lines += [
                f"      mailbox-{mailbox}:",
                "        integration:",
                "          enabled: true",
                "          protocol: as2",
                "          as2:",
                f"            self_id: US-{mailbox}",
                "            recipient:",
                f"              id: PARTNER-{mailbox}",
                "              url: https://partner.example/as2",
                "              certificates: [../partner.pem]",
            ]
        (folder / "accounts" / f"company-{number}.yaml").write_text("\n".join(lines) + "\n")


def cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.configuration.applying")
    parser.add_argument("--mailboxes", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=100)
    chosen = parser.parse_args()
    began, spent = time.perf_counter(), cpu()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = cycle(list(pool.map(lambda _: credentials._rsa_key(), range(chosen.keys))))  # noqa: SLF001 - timed apart
    wall, spent = time.perf_counter() - began, cpu() - spent
    print(f"{chosen.keys:,} keys: {wall:.1f} s ({spent:.1f} s), {spent / chosen.keys * 1000:.0f} ms of a core each")
    with TemporaryDirectory(prefix="benchmark-applying-") as name:
        folder = Path(name)
        write(folder, chosen.mailboxes)
        workspace = Workspace.open(folder)
        desired = workspace.load()
        plan = workspace.plan(desired)
        began, spent = time.perf_counter(), cpu()
        with patch.object(credentials, "_rsa_key", lambda: next(keys)):
            done = workspace.apply(plan, desired, actor="benchmark")
        wall, spent = time.perf_counter() - began, cpu() - spent
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"apply, {len(done.generated):,} credentials: {wall:.1f} s ({spent:.1f} s), {megabytes:.0f} MB")
        assert workspace.plan(workspace.load()).is_empty
        workspace.close()


if __name__ == "__main__":
    main()
