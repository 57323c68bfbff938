"""Faults 1 and 2: kill -9 while something is uploaded, and at the commits of what is converted."""

import random
import subprocess
import sys
import time
from collections.abc import Callable

import paramiko
import pytest

from tests.acceptance.faults.dying import SIZE
from tests.acceptance.faults.scale import scaled
from tests.acceptance.faults.sites import ACME, Site

READY = 10.0


def dying(kind: str, site: Site, count: int) -> list[int]:
    command = [sys.executable, "-m", "tests.acceptance.faults.dying", kind, str(site.folder), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(500, 1000), check=False)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


class TestUploads:
    @pytest.mark.alone
    @pytest.mark.timeout(1200)
    def test_a_gateway_killed_during_an_upload_shows_no_part_of_it(self, site: Site) -> None:
        """The client's upload fails; the restarted gateway is ready in time and takes the file anew, as a whole."""
        chance = random.Random(1)
        content = chance.randbytes(SIZE)
        name = "/coutbox/ORDERS.edi.part"  # a name that waits for its rename, so that the bytes can be looked at
        site.start()
        for _ in range(scaled(3, 100)):
            client = site.login(ACME)
            file = client.open(name, "w")
            file.set_pipelined()
            file.write(content[: chance.randrange(SIZE)])
            site.kill()
            with pytest.raises((OSError, EOFError, paramiko.SSHException)):
                client.stat(name)
            client.close()
            began = time.monotonic()
            site.start()
            assert site.await_ready() - began < READY
            with site.login(ACME) as again:
                assert again.listdir("/coutbox") == []
                with again.open(name, "w") as whole:
                    whole.write(content)
                with again.open(name) as whole:
                    whole.prefetch()
                    assert whole.read() == content
                again.remove(name)

    def test_a_hundred_deaths_at_random_offsets_leave_nothing(self, new_site: Callable[..., Site]) -> None:
        site = new_site()
        assert dying("uploads", site, 100) == [100]
        site.start()
        with site.login(ACME) as client:
            assert client.listdir("/coutbox") == []
        assert list((site.store.folder / "spool").iterdir()) == []
        assert [lying.name for lying in site.store.blobs.shelf.lying()] == []


class TestConversions:
    @pytest.mark.timeout(scaled(900, 1200))
    def test_a_hundred_deaths_at_commits_make_one_envelope_an_input(self, site: Site) -> None:
        """Processes die before or after a commit of the way: the claim, the envelope, its delivery."""
        site.keep_conversions()
        count = 100 if site.is_embedded else scaled(30, 100)
        inputs, deaths = dying("commits", site, count)
        assert deaths == count
        site.start()
        site.await_drained()
        site.require_each_once(range(5000, 5000 + inputs))
