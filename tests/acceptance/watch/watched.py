"""A bare repository, a work tree whose author pushes into it, and the watcher as a process."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO

from reconciler.service.workspace import Workspace

EXAMPLES = Path(__file__).parents[3] / "examples"


class Repository:
    """examples/quickstart in a bare git repository."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "origin.git"
        self.tree = folder / "author"
        shutil.copytree(EXAMPLES / "quickstart", self.tree)
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare)], check=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(self.bare))
        self.push("first")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.com"]
        command = ["git", "-C", str(self.tree), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def push(self, message: str) -> str:
        """Commit all that changed, push it, and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.tree / name
        assert path.read_text().count(old) == 1, (name, old)
        path.write_text(path.read_text().replace(old, new))


class Watcher:
    """`reconciler watch` as a process, and the live side that it keeps."""

    def __init__(self, home: Path, *options: str, **environment: str) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.log = home / f"watch-{len(list(home.glob('watch-*.log')))}.log"
        self._file: IO[bytes] = self.log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", "watch", *options],
            cwd=home,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self._file.close()
        return self.process.wait(60)


class LiveSide:
    """What is live, read past the watcher."""

    def __init__(self, tree: Path, home: Path) -> None:
        self._tree = tree
        self._home = home
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace | None:
        """The workspace, as soon as the watcher has made its store."""
        if self._workspace is None and (self._home / ".reconciler" / "state.db").exists():
            workspace = Workspace.open(self._tree)
            workspace.project = replace(workspace.project, state=str(self._home / ".reconciler"))
            self._workspace = workspace
        return self._workspace

    def name(self, address: str) -> str:
        """Return the name of the account or mailbox at an address; empty while it is not live."""
        if self.workspace is None:
            return ""
        resources = {str(key): resource for key, resource in self.workspace.read().state.resources.items()}
        return str(getattr(resources.get(address), "name", ""))

    def condition(self, scope: str, kind: str) -> tuple[bool, str, str] | None:
        """Return status, commit and message of a condition."""
        if self.workspace is None:
            return None
        found = self.workspace.oversight.status().conditions
        return next(
            ((item.status, item.commit, item.message) for item in found if (item.scope, item.type) == (scope, kind)),
            None,
        )

    def close(self) -> None:
        if self._workspace is not None:
            self._workspace.close()
