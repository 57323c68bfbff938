"""Unit tests open no socket, and are many: garbage is looked for rarely, and not in what was imported."""

import gc

import pytest
import pytest_socket

gc.set_threshold(50_000)


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    pytest_socket.disable_socket()


def pytest_collection_finish() -> None:
    gc.freeze()
