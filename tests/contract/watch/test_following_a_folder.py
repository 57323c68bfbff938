"""Following a folder by the system's own events."""

from pathlib import Path
from threading import Event, Thread

from reconciler.watch.folder import changes


def test_it_says_when_it_watches_and_tells_of_the_configuration_alone(tmp_path: Path) -> None:
    """A log in the folder is written by whoever follows: told of that, it would write again, for ever."""
    stop = Event()
    found = changes(tmp_path, stop)
    assert next(found) == frozenset()
    (tmp_path / "gateway.log").write_text("changed\n")
    (tmp_path / ".hidden.yaml").write_text("a: 1\n")

    def write() -> None:
        (tmp_path / "acme.yaml").write_text("a: 1\n")

    writer = Thread(target=write)
    writer.start()
    assert next(found) == {"acme.yaml"}
    writer.join()
    (tmp_path / "gateway.log").write_text("changed again\n")
    stop.set()
    assert list(found) == []
