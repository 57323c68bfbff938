"""A change that was made by hand, as the YAML that makes it the configuration's own."""

import json

from reconciler.live.history import Drift
from reconciler.model.noun import Json
from reconciler.plan.change import shown_file


def yaml_patch(drift: Drift) -> str:
    """Return the lines to be written, nested as they are in the file; empty for what was made or destroyed."""
    if drift.what != "changed":
        return ""
    path = drift.key.path
    lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(path)]
    for field in drift.fields:
        *sections, name = field.name.split(".")
        depth = len(path)
        for section in sections:
            lines.append(f"{'  ' * depth}{section}:")
            depth += 1
        lines.append(f"{'  ' * depth}{name}: {_value(field.new)}")
    return "\n".join(lines)


def _value(value: Json) -> str:
    match value:
        case {"name": name} if (file := shown_file(value)) is not None:
            return f"{json.dumps(name, ensure_ascii=False)}  # {file}, which `reconciler dump --into .` writes"
        case _:
            return json.dumps(value, ensure_ascii=False)
