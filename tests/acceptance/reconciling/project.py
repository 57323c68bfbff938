"""A project of a user's own, and the commands as its user types them."""

import json
import shutil
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from reconciler.apply.run import Origin
from reconciler.cli.main import main
from reconciler.model.key import Key
from reconciler.model.state import Resource, State
from reconciler.plan.plan import build
from reconciler.service.workspace import Workspace

EXAMPLES = Path(__file__).parents[3] / "examples"


class UserProject:
    """A copy of examples/quickstart and its commands, run in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(EXAMPLES / "quickstart", folder)

    def run(self, *arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--config", str(self.folder), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == exit_code, result.output
        return result

    def apply(self, *options: str) -> str:
        return self.run("apply", "--auto-approve", *options).stdout

    def json(self, *arguments: str, exit_code: int = 0) -> Any:  # noqa: ANN401 - whatever JSON a command prints
        return json.loads(self.run(*arguments, "-o", "json", exit_code=exit_code).stdout)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        assert path.read_text().count(old) == 1, (name, old)
        path.write_text(path.read_text().replace(old, new))

    def cut(self, name: str, begin: str, end: str) -> None:
        """Take the text from `begin` to before `end` out of a file."""
        path = self.folder / name
        text = path.read_text()
        start = text.index(begin)
        path.write_text(text[:start] + text[text.index(end, start) :])

    def field(self, mailbox: str, name: str) -> str:
        return self.run("credentials", "show", mailbox, "--field", name).stdout

    def workspace(self) -> Workspace:
        return Workspace.open(self.folder)


def change_by_hand(project: UserProject, changed: dict[Key, Resource]) -> None:
    """Change what is live past the configuration, as the API does."""
    workspace = project.workspace()
    live = workspace.read()
    plan = build(live.state, live.revision, State({**live.state.resources, **changed}))
    workspace.apply_plan(plan, {}, actor="grace", origin=Origin(by_hand="an emergency"))
    workspace.close()
