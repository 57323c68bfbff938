"""A change that was made by hand, as the YAML that makes it the configuration's own."""

import json

from reconciler.live.history import Drift


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
        lines.append(f"{'  ' * depth}{name}: {json.dumps(field.new, ensure_ascii=False)}")
    return "\n".join(lines)
