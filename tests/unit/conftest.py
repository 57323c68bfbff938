"""Unit tests open no socket, and are many: what is imported for them is not looked through for garbage again."""

import gc

import pytest
import pytest_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    pytest_socket.disable_socket()


def pytest_collection_finish() -> None:
    gc.freeze()
