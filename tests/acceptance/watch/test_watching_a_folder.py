import shutil
from pathlib import Path

from tests.acceptance.running_gateway import await_that
from tests.acceptance.watch.watched import EXAMPLES, LiveSide, Watcher

ACME = "accounts.acme"


def test_a_change_of_a_file_is_applied_at_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(EXAMPLES / "quickstart", home)
    live = LiveSide(home, home)
    watcher = Watcher(home, ".", "--interval", "1h")
    try:
        await_that(lambda: live.condition("", "Synced"), "the first round is over")
        path = home / "accounts" / "acme.yaml"
        path.write_text(path.read_text().replace("name: Acme Retail", "name: Acme EU"))
        await_that(lambda: live.name(ACME) == "Acme EU", "the change is live")
    finally:
        watcher.stop()
        live.close()
