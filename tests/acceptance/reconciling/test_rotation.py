from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from reconciler.jobs.directory import Directory
from reconciler.model.key import Key
from reconciler.store import tables
from tests.acceptance.reconciling.project import UserProject

SALES = "accounts.globex.mailboxes.sales"
PASSWORD = Key.parse(f"{SALES}.integration.credentials.password")
ROTATION = "integration: {enabled: true, sftp: {rotation: {every: 90d, overlap: 7d}}}"


@pytest.fixture
def rotating(project: UserProject) -> UserProject:
    project.edit(
        "accounts/globex.yaml",
        'aliases: ["GLN:4000002000011"]\n        integration: {enabled: true}',
        f'aliases: ["GLN:4000002000011"]\n        {ROTATION}',
    )
    project.apply()
    return project


def age(project: UserProject, **columns: datetime) -> None:
    workspace = project.workspace()
    with workspace.store.write() as tx:
        tx.execute(update(tables.credential).where(tables.credential.c.address == str(PASSWORD)).values(columns))
    workspace.close()


def verifiers(project: UserProject) -> int:
    workspace = project.workspace()
    directory = Directory(workspace.store)
    snapshot = directory.current()
    partner = next(partner for partner in snapshot.partners("sftp") if str(partner.key) == SALES)
    workspace.close()
    return len(partner.credentials["password"])


def test_in_the_overlap_both_are_valid_and_after_it_the_new_one_alone(rotating: UserProject) -> None:
    first = rotating.field(SALES, "password")
    assert rotating.run("plan").stdout.startswith("No changes.")
    age(rotating, created_at=datetime.now(UTC) - timedelta(days=91))
    shown = rotating.apply()
    assert f"! {PASSWORD}  will be rotated; the old one stays valid for 7d\n" in shown
    assert "1 credential will be rotated." in shown
    assert rotating.field(SALES, "password") != first
    assert verifiers(rotating) == 2
    assert rotating.run("plan").stdout.startswith("No changes.")


def test_the_old_one_runs_out_without_an_apply(rotating: UserProject) -> None:
    age(rotating, created_at=datetime.now(UTC) - timedelta(days=91))
    rotating.apply()
    workspace = rotating.workspace()
    directory = Directory(workspace.store)
    assert not directory.current().is_stale()
    with workspace.store.write() as tx:
        old = tables.credential.c.expires_at.is_not(None)
        there = tables.credential.c.address == str(PASSWORD)
        soon = datetime.now(UTC) + timedelta(milliseconds=200)
        tx.execute(update(tables.credential).where(there, old).values(expires_at=soon))
    fresh = Directory(workspace.store)
    before = fresh.current()
    while not before.is_stale():
        pass
    assert fresh.current() is not before
    workspace.close()
    assert verifiers(rotating) == 1


def test_an_overlap_as_long_as_the_age_is_a_mistake(project: UserProject) -> None:
    project.edit(
        "accounts/globex.yaml",
        'aliases: ["GLN:4000002000011"]\n        integration: {enabled: true}',
        'aliases: ["GLN:4000002000011"]\n        ' + ROTATION.replace("7d", "90d"),
    )
    assert "overlap is shorter than every" in project.run("plan", exit_code=1).stderr
