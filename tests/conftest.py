"""What all tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How many examples a property is tried with: few while one works, the same each time, so that what fails is what was
# changed; .ci/check asks for --hypothesis-profile=thorough, and looks further wherever CI is not set. None is timed.
_untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _untimed, max_examples=10, derandomize=True)
settings.register_profile("thorough", _untimed, max_examples=100)
settings.load_profile("quick")


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what commands cache out of the user's home, for their processes too."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("RECONCILER_CACHE", str(folder))
        yield folder


def require_program(name: str, *, package: str) -> str:
    """Return the path of a program that pip cannot bring; skip without it, and fail instead where CI should have it."""
    path = shutil.which(name)
    if path is not None:
        return path
    reason = f"needs {name}; install it with: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def openssh_sftp() -> str:
    """Return the path of the OpenSSH SFTP client."""
    return require_program("sftp", package="openssh-client")


@pytest.fixture
def openssl() -> str:
    """Return the path of the OpenSSL command."""
    return require_program("openssl", package="openssl")
