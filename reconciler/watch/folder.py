"""Following a configuration's folder: a change is a set of files that have come to rest."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

from watchfiles import Change, DefaultFilter, watch

STEP = 50
"""Milliseconds without a further change after which a set of changes has come to rest."""


class _ConfigurationFiles(DefaultFilter):
    """All files but those that loading leaves out, whose names start with a dot or an underscore, and logs.

    Whoever follows says so in its log, which may lie in the folder: told of that, it would follow itself for ever.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def __call__(self, change: Change, path: str) -> bool:
        parts = Path(path).relative_to(self._root).parts
        left_out = any(part.startswith((".", "_")) for part in parts) or path.endswith(".log")
        return not left_out and super().__call__(change, path)


def changes(root: Path, stop: Event) -> Iterator[frozenset[str]]:
    """Yield the paths, relative to `root`, of each set of files that changed, until `stop` is set.

    The first set, which may be empty, comes once changes are noticed: what is read from then on misses none.
    """
    root = root.resolve()
    found = watch(
        root,
        watch_filter=_ConfigurationFiles(root),
        stop_event=stop,
        step=STEP,
        raise_interrupt=False,
        rust_timeout=500,
        yield_on_timeout=True,
    )
    is_first = True
    for changed in found:
        if changed or is_first:
            yield frozenset(str(Path(path).relative_to(root)) for _, path in changed)
        is_first = False
