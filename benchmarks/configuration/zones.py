"""DNS zones for octoDNS: so many records in zones of forty, and a target in which a share of them differs."""

from pathlib import Path

PER_ZONE = 40


def write(folder: Path, records: int, *, changed: float) -> Path:
    """Write source and target, and return octoDNS's configuration."""
    step = round(1 / changed)
    lines = [
        "providers:",
        *(
            f"  {side}: {{class: octodns.provider.yaml.YamlProvider, directory: {folder / side}, enforce_order: false}}"
            for side in ("source", "target")
        ),
        "zones:",
    ]
    for zone in range(records // PER_ZONE):
        name = f"zone-{zone}.example."
        lines.append(f"  {name}: {{sources: [source], targets: [target]}}")
        for side in ("source", "target"):
            (folder / side).mkdir(parents=True, exist_ok=True)
            text = "".join(
                _record(zone * PER_ZONE + index, edited=side == "source" and (zone * PER_ZONE + index) % step == 0)
                for index in range(PER_ZONE)
            )
            (folder / side / f"{name}yaml").write_text(text)
    config = folder / "octodns.yaml"
    config.write_text("\n".join(lines) + "\n")
    return config


def _record(number: int, *, edited: bool) -> str:
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return f"host-{number}:\n  type: A\n  ttl: {600 if edited else 300}\n  values:\n  - {address}\n"
