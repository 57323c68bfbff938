"""The demonstration from beginning to end: one line a step, a table at the end."""

import logging
import shutil
import time
from pathlib import Path

from reconciler.cli import terminal
from reconciler.cli.demo.scenes import ACME, SCENES
from reconciler.cli.demo.stage import Stage


def run(folder: Path, *, keep: bool, remove: bool) -> bool:
    """Play all steps in `folder`; say whether all of them held. `remove` takes the folder away after a success."""
    # A session that is cut is part of the play; its client need not complain of it.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    stage = Stage(folder)
    rows: list[tuple[str, str, str]] = []
    began = time.monotonic()
    held = False
    try:
        stage.copy_example()
        terminal.write(f"The example is in {folder}")
        for name, scene in SCENES:
            start = time.monotonic()
            try:
                seen = scene(stage)
            except Exception as error:
                rows.append(("FAILED", name, f"{error}"))
                terminal.write(f"✗ {name}: {error}")
                raise
            rows.append((f"{time.monotonic() - start:.1f} s", name, seen))
            terminal.write(f"✓ {name}: {seen}")
        held = True
    except Exception as error:  # noqa: BLE001 - whatever ended a step, the table says which, and the exit code is 1
        terminal.say(f"The demonstration ended at this step: {type(error).__name__}. What it left is in {folder}")
    finally:
        stage.close(keep_gateway=keep and held)
    terminal.write("\n" + terminal.table(["TIME", "STEP", "SEEN"], rows))
    if not held:
        return False
    terminal.write(f"\nEvery step holds. {time.monotonic() - began:.1f} s in all.")
    if keep:
        _say_how_to_connect(stage)
    elif remove:
        shutil.rmtree(folder)
    return True


def _say_how_to_connect(stage: Stage) -> None:
    login = stage.credential(ACME, "login")
    process = stage.gateway.pid if stage.gateway else 0
    terminal.write(
        "\nThe gateway still runs. Connect, look, and stop it:\n"
        f"  cd {stage.folder}\n"
        f"  reconciler credentials show {ACME} --field password\n"
        f"  sftp -P {stage.sftp_port} {login}@127.0.0.1\n"
        "  reconciler log list\n"
        f"  kill {process}"
    )
