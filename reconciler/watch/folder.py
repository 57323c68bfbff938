"""Following a configuration's folder: a change is a set of files that have come to rest."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

from watchfiles import Change, DefaultFilter, watch

STEP = 50
"""Milliseconds without a further change after which a set of changes has come to rest."""


class _ConfigurationFiles(DefaultFilter):
    """All files but those that loading leaves out: names that start with a dot or an underscore."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def __call__(self, change: Change, path: str) -> bool:
        parts = Path(path).relative_to(self._root).parts
        return not any(part.startswith((".", "_")) for part in parts) and super().__call__(change, path)


def changes(root: Path, stop: Event) -> Iterator[frozenset[str]]:
    """Yield the paths, relative to `root`, of each set of files that changed, until `stop` is set."""
    root = root.resolve()
    found = watch(
        root,
        watch_filter=_ConfigurationFiles(root),
        stop_event=stop,
        step=STEP,
        raise_interrupt=False,
        rust_timeout=500,
    )
    for changed in found:
        yield frozenset(str(Path(path).relative_to(root)) for _, path in changed)
