import hmac
import json
import signal
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from reconciler.apply.run import Origin
from reconciler.model.account import Account
from reconciler.model.key import Key
from reconciler.model.state import State
from reconciler.plan.plan import build
from tests.acceptance.running_gateway import await_that
from tests.acceptance.watch.watched import LiveSide, Repository, Watcher
from tests.ports import free_port
from tests.served import served

ACME = "accounts.acme"
Start = Callable[..., Watcher]


def rename(repository: Repository, old: str, new: str) -> str:
    repository.edit("accounts/acme.yaml", f"    name: {old}\n\n    templates", f"    name: {new}\n\n    templates")
    return repository.push(f"{old} is {new}")


def by_hand(live: LiveSide, name: str) -> None:
    """Rename Acme past the configuration, as the API does."""
    workspace = live.workspace
    assert workspace
    now = workspace.read()
    plan = build(now.state, now.revision, State({**now.state.resources, Key.parse(ACME): Account(name=name)}))
    workspace.apply_plan(plan, {}, actor="grace", origin=Origin(by_hand="an emergency"))


def synced(live: LiveSide) -> tuple[bool, str, str]:
    return live.condition("", "Synced") or (False, "", "")


def test_what_is_pushed_is_applied_and_a_bad_commit_changes_nothing(
    repository: Repository, live: LiveSide, watch: Start
) -> None:
    watcher = watch()
    await_that(lambda: live.name(ACME) == "Acme Retail", "the first commit is live")
    good = rename(repository, "Acme Retail", "Acme EU")
    await_that(lambda: live.name(ACME) == "Acme EU", "the second commit is live")
    await_that(lambda: live.condition("", "Synced") == (True, good, ""), "it says so")
    repository.edit("accounts/acme.yaml", "    name: Acme EU\n", "    nam: Acme US\n")
    bad = repository.push("a mistake")
    await_that(lambda: synced(live)[:2] == (False, bad), "it says that the commit is bad")
    assert "accounts/acme.yaml:" in synced(live)[2]
    assert "unknown key 'nam'" in synced(live)[2]
    assert "did you mean 'name'?" in watcher.log.read_text()
    assert live.name(ACME) == "Acme EU"
    # The last good state is kept, although the branch is wrong.
    by_hand(live, "Acme by hand")
    await_that(lambda: live.name(ACME) == "Acme EU", "the last good state is healed")
    repository.edit("accounts/acme.yaml", "    nam: Acme US\n", "    name: Acme US\n")
    mended = repository.push("mended")
    await_that(lambda: live.name(ACME) == "Acme US", "the mended commit is live")
    await_that(lambda: live.condition("", "Synced") == (True, mended, ""), "it says so")
    workspace = live.workspace
    assert workspace
    newest = workspace.oversight.history(limit=1)[0]
    assert (newest.actor, newest.commit) == ("watch", mended)
    assert watcher.stop() == 0
    state = watcher.home / ".reconciler"
    assert [path for path in (state, state / "state.db") if path.stat().st_mode & 0o077] == []


def test_the_last_good_state_is_kept_by_a_watcher_that_starts_at_a_bad_commit(
    repository: Repository, live: LiveSide, watch: Start
) -> None:
    assert watch("--once").process.wait(60) == 0
    repository.edit("accounts/acme.yaml", "    name: Acme Retail\n", "    nam: Acme Retail\n")
    repository.push("a mistake")
    by_hand(live, "Acme by hand")
    assert watch("--once").process.wait(60) == 1
    assert live.name(ACME) == "Acme Retail"


def test_healing_can_be_left_to_people(live: LiveSide, watch: Start) -> None:
    assert watch("--once").process.wait(60) == 0
    by_hand(live, "Acme by hand")
    assert watch("--once", "--no-heal").process.wait(60) == 1
    assert live.name(ACME) == "Acme by hand"
    assert live.condition("acme", "Synced") == (False, synced(live)[1], "1 change to make")
    assert watch("--once").process.wait(60) == 0
    assert live.name(ACME) == "Acme Retail"


def test_one_account_that_is_refused_does_not_hold_up_the_others(
    repository: Repository, live: LiveSide, watch: Start
) -> None:
    repository.edit("accounts/globex.yaml", "        name: Globex outlet\n", "        protected: true\n")
    repository.push("the outlet is protected")
    assert watch("--once").process.wait(60) == 0
    path = repository.tree / "accounts" / "globex.yaml"
    path.write_text(path.read_text().partition("      closed:")[0])
    rename(repository, "Acme Retail", "Acme EU")
    assert watch("--once", "--prune").process.wait(60) == 1
    assert live.name(ACME) == "Acme EU"
    healthy = live.condition("globex", "Healthy")
    assert healthy
    assert not healthy[0]
    assert "accounts.globex.mailboxes.closed is protected" in healthy[2]
    assert live.condition("acme", "Healthy") == (True, repository.git("rev-parse", "HEAD"), "")


def test_a_second_watcher_stands_by_until_the_first_is_gone(
    repository: Repository, live: LiveSide, watch: Start
) -> None:
    first = watch()
    await_that(lambda: live.name(ACME) == "Acme Retail", "the first commit is live")
    second = watch()
    await_that(lambda: "standing by: watch on " in second.log.read_text(), "the second stands by")
    assert watch("--once").process.wait(60) == 1
    first.stop()
    rename(repository, "Acme Retail", "Acme EU")
    await_that(lambda: live.name(ACME) == "Acme EU", "the second has taken over")


def test_a_watcher_that_stands_by_can_be_stopped(live: LiveSide, watch: Start) -> None:
    watch()
    await_that(lambda: live.name(ACME) == "Acme Retail", "the first commit is live")
    second = watch()
    await_that(lambda: "standing by" in second.log.read_text(), "the second stands by")
    assert second.stop(signal.SIGINT) == 0


def test_a_signed_call_is_obeyed_at_once_and_any_other_is_not(
    repository: Repository, live: LiveSide, watch: Start
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    watch("--interval", "1h", "--webhook", f"127.0.0.1:{port}", RECONCILER_WEBHOOK_SECRET="s3cret")
    await_that(lambda: live.condition("", "Synced"), "the first round is over")
    rename(repository, "Acme Retail", "Acme EU")
    body = b'{"ref": "refs/heads/main"}'
    assert httpx.post(address, content=body, timeout=60).status_code == 401
    assert httpx.post(address, content=body, headers={"X-Gitlab-Token": "guess"}, timeout=60).status_code == 401
    assert live.name(ACME) == "Acme Retail"
    signature = "sha256=" + hmac.new(b"s3cret", body, sha256).hexdigest()
    assert httpx.post(address, content=body, headers={"X-Hub-Signature-256": signature}, timeout=60).status_code == 202
    await_that(lambda: live.name(ACME) == "Acme EU", "the call is obeyed")


@pytest.fixture
def git_host() -> Iterator[tuple[str, list[tuple[str, str, dict[str, str]]]]]:
    """Yield the URL of an API, and the statuses that it is told: path, token, body."""
    told: list[tuple[str, str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.path, self.headers["Authorization"], body))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    with served(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}", told


def test_the_commits_status_is_posted(
    repository: Repository, watch: Start, git_host: tuple[str, list[tuple[str, str, dict[str, str]]]]
) -> None:
    api, told = git_host
    good = repository.git("rev-parse", "HEAD")
    assert watch("--once", "--status-api", api, RECONCILER_GIT_TOKEN="t0ken").process.wait(60) == 0
    path, token, body = told[0]
    assert path.endswith(f"/statuses/{good}")
    assert token == "Bearer t0ken"
    assert (body["state"], body["context"]) == ("success", "reconciler")
    repository.edit("accounts/acme.yaml", "    name: Acme Retail\n", "    nam: Acme Retail\n")
    bad = repository.push("a mistake")
    watcher = watch("--once", "--status-api", api, RECONCILER_GIT_TOKEN="t0ken")
    assert watcher.process.wait(60) == 1
    path, _, body = told[1]
    assert path.endswith(f"/statuses/{bad}")
    assert body["state"] == "failure"
    assert "unknown key 'nam'" in body["description"]
    assert "t0ken" not in watcher.log.read_text()
