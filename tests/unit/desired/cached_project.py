"""A configuration whose loading is kept in a cache of its own."""

from collections.abc import Mapping
from pathlib import Path

from reconciler.desired.findings import NOTHING_KNOWN, Known
from reconciler.desired.load import Desired, Loaded, load_traced
from reconciler.desired.load_cache import LoadCache
from reconciler.model.protocol import ProtocolRegistry
from tests.unit.desired.conftest import WellFormed, write_files


class CachedProject:
    """Counts how often it was really loaded; `examined` are files that a test found to be examined."""

    def __init__(self, folder: Path, protocols: ProtocolRegistry) -> None:
        self.root = folder / "configuration"
        self.cache = folder / "cache"
        self.environ: dict[str, str] = {"RECONCILER_CACHE": str(self.cache)}
        self.environment: str | None = None
        self.compiler = WellFormed()
        self.times = 0
        self.examined: list[str] = []
        self._protocols = protocols

    def write(self, files: Mapping[str, str]) -> None:
        write_files(self.root, files)

    def loaded(self, known: Known = NOTHING_KNOWN) -> Loaded:
        self.times += 1
        return load_traced(
            self.root, self._protocols, self.compiler, environment=self.environment, environ=self.environ, known=known
        )

    def desired(self) -> Desired:
        return LoadCache.of(self.root, self.environment, self.environ).desired(self.loaded)
