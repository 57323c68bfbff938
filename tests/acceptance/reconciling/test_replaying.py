"""What a plan would do to inputs that came already, or to samples: the real rules and the real conversion."""

import json
import shutil
from pathlib import Path

import pytest

from reconciler.jobs.acceptance import accept
from reconciler.model.key import Key
from reconciler.store.receipts import Receipt
from tests.acceptance.reconciling.project import EXAMPLES, UserProject

ORDERS = Key.of_account("acme").mailbox("orders")
ACME = "accounts/acme.yaml"
SAMPLES = sorted((EXAMPLES / "quickstart" / "samples").glob("ORDERS_*.edi"))


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    folder = tmp_path / "samples" / "acme" / "orders"
    folder.mkdir(parents=True)
    for sample in SAMPLES[:3]:
        shutil.copy(sample, folder)
    return tmp_path / "samples"


def deactivate(project: UserProject) -> None:
    """Take the rule away that converts orders, so that the account's, which checks them only, has its turn."""
    text = (project.folder / ACME).read_text()
    assert text.count("active: true") >= 1
    begin = text.index("active: true", text.index("orders-from-edifact"))
    (project.folder / ACME).write_text(text[:begin] + text[begin:].replace("active: true", "active: false", 1))


def test_samples_that_go_another_way_are_counted_and_named(applied: UserProject, samples: Path) -> None:
    assert "Impact: none of 3 inputs" in applied.run("plan", "--replay", str(samples)).stdout
    deactivate(applied)
    found = applied.json("plan", "--replay", str(samples))["impact"]
    assert (found["replayed"], found["moved"]) == (3, 3)
    (shift,) = found["shifts"]
    assert (shift["mailbox"], shift["count"], shift["of"]) == (str(ORDERS), 3, 3)
    assert "orders-from-edifact" in shift["before"]
    assert shift["inputs"] == [sample.name for sample in SAMPLES[:3]]
    shown = applied.run("plan", "--replay", str(samples)).stdout
    assert "Impact: 3 of 3 inputs of" in shown
    assert "    3 of 3 files would " in shown
    assert "**Impact: 3 of 3 inputs of" in applied.run("plan", "--replay", str(samples), "-o", "markdown").stdout


def test_what_a_map_would_make_otherwise_is_shown_as_a_diff(applied: UserProject, samples: Path) -> None:
    applied.edit(
        "maps/orders-out.xsl",
        '<field name="number">{my:number(.)}</field>',
        '<field name="number">N{my:number(.)}</field>',
    )
    assert "Impact: none of 3" in applied.run("plan", "--replay", str(samples)).stdout
    shown = applied.run("plan", "--replay", str(samples), "--replay-convert").stdout
    assert "3 of 3 files would become something else" in shown
    lines = [line.strip() for line in shown.splitlines()]
    assert any(line.startswith("-") and '<field name="number">4711</field>' in line for line in lines)
    assert any(line.startswith("+") and '<field name="number">N4711</field>' in line for line in lines)


def test_a_map_that_fails_is_told_before_it_is_live(applied: UserProject, samples: Path) -> None:
    applied.edit("maps/orders-out.xsl", '<field name="number">{my:number(.)}</field>', '<field name="number"/>')
    found = applied.json("plan", "--replay", str(samples), "--replay-convert")["impact"]
    assert found["failing"] == 3
    assert "failed" in found["shifts"][0]["after"]


def test_what_the_store_keeps_is_replayed_for_a_time(applied: UserProject) -> None:
    workspace = applied.workspace()
    uuid = next(item.uuid for item in workspace.show(str(ORDERS)) if item.key == ORDERS)
    assert uuid
    payload = SAMPLES[0].read_bytes()
    sealed = workspace.store.blobs.seal(payload)
    with workspace.store.write() as tx:
        workspace.store.blobs.put(tx, sealed)
        receipt = Receipt(
            mailbox=uuid, channel="sftp", native=False, name="ORDERS_1.edi", sha256=sealed.sha256, size=len(payload)
        )
        accept(tx, receipt)
    workspace.close()
    deactivate(applied)
    shown = applied.run("plan", "--replay", "7d").stdout
    assert "Impact: 1 of 1 input of the last 7d would go another way." in shown
    assert "ORDERS_1.edi" in shown
    assert "neither a time" in applied.run("plan", "--replay", "nonsense", exit_code=1).stderr


def test_a_saved_plan_has_its_impact_beside_it_not_in_it(applied: UserProject, samples: Path, tmp_path: Path) -> None:
    deactivate(applied)
    applied.run("plan", "--replay", str(samples), "--out", str(tmp_path / "plan.json"))
    assert "impact" not in json.loads((tmp_path / "plan.json").read_text())
    assert "Applied." in applied.run("apply", str(tmp_path / "plan.json")).stdout
