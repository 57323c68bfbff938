"""Git, as far as reconciling needs it: which commit a folder is at, and following a branch in a clone of its own."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from reconciler.errors import ReconcilerError

_TIMEOUT = 120
"""Seconds after which a git command that talks to a server has failed."""


class GitError(ReconcilerError):
    """Git refused, or the server cannot be reached."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its hash, who made it, and when, as git writes it."""

    sha: str
    author: str
    at: str


def commit_of(folder: Path) -> Commit | None:
    """Return the commit that a folder's work tree is at; None when it is in no repository, or git is not there."""
    try:
        written = _git("-C", str(folder), "log", "-1", "--format=%H%x00%an%x00%cI")
    except GitError:
        return None
    return Commit(*written.split("\0")) if written.count("\0") == 2 else None  # noqa: PLR2004 - three fields


class Clone:
    """A clone that follows one branch or tag of a repository; nothing is ever written back."""

    def __init__(self, folder: Path, url: str, ref: str) -> None:
        self.folder = folder
        self._url = url
        self._ref = ref

    @contextmanager
    def newest(self) -> Iterator[Commit]:
        """Bring the clone to the newest commit, where it stays while the block reads it. Raises GitError.

        Another process with this clone, such as a watcher that stands by, waits meanwhile.
        """
        # The state may come to lie in the same folder.
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.folder.with_name(f"{self.folder.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield self._fetched()

    def _fetched(self) -> Commit:
        try:
            return self._fetch()
        except GitError:
            # Raises what is wrong when that is the server. Else it is the clone: git was killed while it held a lock
            # or wrote, or the power went. It has nothing that is not on the server.
            _git("ls-remote", "--quiet", "--", self._url, self._ref)
        rmtree(self.folder)
        return self._fetch()

    def _fetch(self) -> Commit:
        if not (self.folder / ".git").is_dir():
            self.folder.mkdir(exist_ok=True)
            self._run("init", "--quiet")
        self._run("fetch", "--quiet", "--depth", "1", "--force", "--", self._url, self._ref)
        self._run("checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
        self._run("clean", "--quiet", "-ffd")
        commit = commit_of(self.folder)
        if commit is None:
            raise GitError(f"{self._ref} of {without_password(self._url)} has no commit.")
        return commit

    def _run(self, *arguments: str) -> None:
        _git("-C", str(self.folder), *arguments)


def without_password(url: str) -> str:
    """Return a repository's URL without the credentials in it."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else url


def _git(*arguments: str) -> str:
    # What git needs of the environment is the user's to say, but the gateway's own secrets are none of it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are no shell's
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, env=environment
        )
    except FileNotFoundError:
        raise GitError("git is not installed.") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git did not answer within {_TIMEOUT} seconds.") from None
    if done.returncode:
        raise GitError(f"git failed: {without_secrets(_reason(done.stderr), arguments)}")
    return done.stdout.strip()


def _reason(said: str) -> str:
    """Return the line that says why git failed; what follows it is general advice."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it said nothing"]
    return next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])


def without_secrets(text: str, arguments: tuple[str, ...]) -> str:
    """Return git's words with every URL that was passed to it shown without credentials."""
    for argument in arguments:
        if "://" in argument:
            text = text.replace(argument, without_password(argument))
    return text
