"""What is live says where it is written and at which commit, whichever way it was applied."""

import subprocess

from reconciler.model.key import Key
from tests.contract.state.conftest import Site

ORDERS = Key.parse("accounts.acme.mailboxes.orders")
RULE = ORDERS.rule("orders-from-edifact")


def git(site: Site, *arguments: str) -> str:
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.com")
    done = subprocess.run(["git", *identity, *arguments], cwd=site.folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def line(site: Site, text: str) -> int:
    lines = (site.folder / "accounts" / "acme.yaml").read_text().splitlines()
    return next(number for number, found in enumerate(lines, 1) if text in found)


def test_it_moves_with_what_is_changed(both: tuple[Site, Site]) -> None:
    for site in both:
        before = line(site, "orders-from-edifact:")
        assert site.workspace.origin(RULE) == (f"accounts/acme.yaml:{before}", "")
        git(site, "init", "-q")
        path = site.folder / "accounts" / "acme.yaml"
        path.write_text("# one more line\n" + path.read_text().replace("ORDERS.*", "ORDER.*", 1))
        git(site, "add", ".")
        git(site, "commit", "-qm", "Rename")
        assert site.run("apply", "--auto-approve").code == 0
        assert site.workspace.origin(RULE) == (f"accounts/acme.yaml:{before + 1}", git(site, "rev-parse", "HEAD"))
