"""A plan in a file: what was seen, to be applied later as it is or not at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from reconciler.errors import PlanRefusedError
from reconciler.model.noun import Json
from reconciler.model.packed import text_of
from reconciler.model.source_file import digest
from reconciler.plan.making import Wish
from reconciler.plan.plan import Plan


def config_hash(wish: Wish) -> str:
    """Return the SHA-256 (hex) of what a configuration means: moving YAML between files does not change it."""
    content = {
        "state": {str(key): text_of(wish.state.resources, key) for key in wish.state.resources},
        "renames": {str(new): str(old) for new, old in wish.renames.items()},
        "sections": None if wish.sections is None else sorted(wish.sections),
    }
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan with the hash and commit of the configuration that it was made of, by whom and when (UTC)."""

    plan: Plan
    config_hash: str
    commit: str
    made_by: str
    made_at: datetime

    def to_json(self) -> dict[str, Json]:
        """Return the plan's document with where it comes from."""
        return self.plan.to_json() | {
            "configuration": {"hash": self.config_hash, "commit": self.commit},
            "made": {"by": self.made_by, "at": self.made_at.isoformat()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        """Read what `to_json` made. Raises PlanRefusedError when it is no saved plan, or was altered since."""
        rest = {name: value for name, value in data.items() if name not in {"configuration", "made"}}
        match data:
            case {
                "configuration": {"hash": str(config), "commit": str(commit)},
                "made": {"by": str(actor), "at": str(at)},
            }:
                return cls(Plan.from_json(rest), config, commit, actor, datetime.fromisoformat(at))
            case _:
                raise PlanRefusedError("this is no saved plan; make one with: reconciler plan --out plan.json")

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read a saved plan's file. Raises PlanRefusedError when it is none."""
        try:
            data = json.loads(content)
        except ValueError as error:
            raise PlanRefusedError(f"the plan cannot be read: {error}") from None
        if not isinstance(data, dict):
            raise PlanRefusedError("this is no saved plan; make one with: reconciler plan --out plan.json")
        try:
            return cls.from_json(data)
        except ValueError as error:
            raise PlanRefusedError(f"the plan cannot be read: {error}") from None

    def written(self) -> str:
        """Return the file's text."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"
