import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from reconciler.watch.repository import Clone, GitError
from tests.conftest import require_program


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Return a repository with one commit, of a file."""
    require_program("git", package="git")
    tree = tmp_path / "origin"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(tree)], check=True)
    commit(tree, "first")
    return tree


def commit(tree: Path, text: str) -> None:
    (tree / "file").write_text(text)
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (["add", "file"], [*who, "commit", "--quiet", "--message", text]):
        subprocess.run(["git", "-C", str(tree), *command], check=True)


def test_why_git_failed_is_said_not_what_it_advises(tmp_path: Path) -> None:
    require_program("git", package="git")
    with (
        pytest.raises(GitError, match="does not appear to be a git repository"),
        Clone(tmp_path / "clone", str(tmp_path / "nowhere.git"), "main").newest(),
    ):
        pass


def emptied(clone: Path) -> None:
    for path in (clone / ".git/objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [
        lambda clone: (clone / ".git/index.lock").touch(),
        lambda clone: (clone / ".git/shallow.lock").touch(),
        lambda clone: (clone / ".git/HEAD.lock").touch(),
        lambda clone: shutil.rmtree(clone / ".git/refs"),
        emptied,
    ],
)
def test_a_clone_that_a_killed_git_left_is_made_anew(
    origin: Path, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    clone = Clone(tmp_path / "clone", str(origin), "main")
    with clone.newest():
        damage(clone.folder)
    commit(origin, "second")
    with clone.newest():
        assert (clone.folder / "file").read_text() == "second"


def test_a_clone_is_left_as_it_is_while_the_server_is_out_of_reach(origin: Path, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone", str(origin), "main")
    with clone.newest():
        pass
    origin.rename(tmp_path / "moved")
    with pytest.raises(GitError, match="does not appear to be a git repository"), clone.newest():
        pass
    assert (clone.folder / "file").read_text() == "first"


def test_nobody_moves_a_clone_that_is_read(origin: Path, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone", str(origin), "main")
    seen: list[str] = []

    def stand_by() -> None:
        with Clone(tmp_path / "clone", str(origin), "main").newest():
            seen.append((clone.folder / "file").read_text())

    with clone.newest():
        commit(origin, "second")
        other = Thread(target=stand_by)
        other.start()
        other.join(0.2)
        assert (clone.folder / "file").read_text() == "first"
    other.join()
    assert seen == ["second"]


def test_git_is_not_told_the_gateways_secrets(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nenv >> {told}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RECONCILER_KEY", "s3cret")
    with Clone(tmp_path / "clone", str(origin), "main").newest():
        pass
    assert "LC_ALL=C" in told.read_text()
    assert "s3cret" not in told.read_text()
