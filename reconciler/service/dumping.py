"""From what is live back to the files of a configuration."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.desired.load import Loaded
from reconciler.desired.writing.patching import Patching
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.model.key import Key
from reconciler.model.rule import Rule
from reconciler.model.source_file import ContentReader
from reconciler.model.state import Resource, State
from reconciler.plan.diff import differences
from reconciler.service.wiring import PROTOCOLS

_SHOWN = 5
"""Addresses that an error names."""

Load = Callable[[Path], Loaded]
Selected = Callable[[Key], bool]


@dataclass(frozen=True, slots=True)
class Dumping:
    """Brings files to what is live. `load` reads a folder; `content` gives the files that are live, by SHA-256."""

    live: State
    content: ContentReader
    load: Load

    def into(self, folder: Path, loaded: Loaded | None, selected: Selected, *, prune: bool) -> list[str]:
        """Write what is live and selected into the files of a folder, and return those that were written.

        `loaded` is what the files say; None when there are none. With `prune`, what is selected and not live is taken
        out. Raises ReconcilerError, and writes nothing, when the files cannot say what is live.
        """
        wanted = self._wanted(loaded.desired.state if loaded else State(), selected, prune=prune)
        accounts = {
            change.key.account
            for change in differences(loaded.desired.state if loaded else State(), wanted)
            if change.key.account is not None
        }
        files = Patching(folder, loaded, PROTOCOLS, self._content_of(loaded)).patch(wanted, sorted(accounts))
        if files:
            self._check(folder, loaded, files, wanted, selected)
        for path, content in files.items():
            _write(folder / path, content)
        return sorted(files)

    def _wanted(self, state: State, selected: Selected, *, prune: bool) -> State:
        """Return what the files shall say: what they say now, with what is live and selected."""
        kept = {key: resource for key, resource in state.resources.items() if not (prune and selected(key))}
        taken: dict[Key, Resource] = {}
        for key in self.live.resources:
            if selected(key):
                taken[key] = self.live.resources[key]
                owner = key.owner
                while owner is not None and owner not in kept:
                    taken[owner] = self.live.resources[owner]
                    owner = owner.owner
        return State(kept | taken)

    def _content_of(self, loaded: Loaded | None) -> ContentReader:
        own = loaded.desired.files if loaded else {}
        return lambda sha256: own[sha256] if sha256 in own else self.content(sha256)

    def _check(
        self, folder: Path, loaded: Loaded | None, files: dict[str, bytes], wanted: State, only: Selected
    ) -> None:
        """Raise ReconcilerError unless the files, written elsewhere, say what they shall say."""
        with tempfile.TemporaryDirectory(prefix="reconciler-dump-") as name:
            trial = Path(name)
            for path in loaded.digests if loaded else ():
                if path not in files:
                    (trial / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(folder / path, trial / path)
            for path, content in files.items():
                _write(trial / path, content)
            try:
                said = self.load(trial).desired.state
            except ConfigurationError as error:
                raise ReconcilerError(f"Nothing was written: the files would be wrong.\n{error}") from error
        keys = {*wanted.resources, *said.resources}
        wrong = sorted(key for key in keys if only(key) and not _same(said.get(key), wanted.get(key)))
        if wrong:
            shown = ", ".join(map(str, wrong[:_SHOWN]))
            more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            raise ReconcilerError(
                f"Nothing was written: the files would not say what is live at {shown}{more}. Is that patched by an "
                "environment?"
            )


def _same(one: Resource | None, other: Resource | None) -> bool:
    """Say whether two resources are the same; a rule alone has another position than among all."""
    if isinstance(one, Rule) and isinstance(other, Rule):
        return one.model_copy(update={"position": 0}) == other.model_copy(update={"position": 0})
    return one == other


def _write(path: Path, content: bytes) -> None:
    """Write a file in one go: whoever reads it meanwhile sees the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    if path.exists():
        shutil.copymode(path, beside)
    beside.replace(path)
