from pathlib import Path

import pytest

from reconciler.watch.repository import Clone, GitError
from tests.conftest import require_program


def test_why_git_failed_is_said_not_what_it_advises(tmp_path: Path) -> None:
    require_program("git", package="git")
    with pytest.raises(GitError, match="does not appear to be a git repository"):
        Clone(tmp_path / "clone", str(tmp_path / "nowhere.git"), "main").fetch()
