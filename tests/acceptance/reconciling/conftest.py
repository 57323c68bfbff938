from pathlib import Path

import pytest

from tests.acceptance.reconciling.project import UserProject


@pytest.fixture
def project(tmp_path: Path) -> UserProject:
    return UserProject(tmp_path / "project")


@pytest.fixture
def applied(project: UserProject) -> UserProject:
    project.apply()
    return project
