"""An envelope with several recipients is completed by the last of them, and cancelled by any."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from reconciler.conversion.converter import Converter
from reconciler.envelope import xml
from reconciler.envelope.status import StatusError
from reconciler.envelope.xml import Envelope, EnvelopeState, Role, Status
from reconciler.envelope.xml_writing import to_xml
from reconciler.errors import ReconcilerError
from reconciler.jobs.closing import complete, reject
from reconciler.jobs.directory import Directory
from reconciler.jobs.receiving import Receiving
from reconciler.model.template_ref import TemplateRef
from reconciler.store import envelopes, jobs
from reconciler.store.blobs import Batch
from reconciler.store.database import Store
from reconciler.store.envelopes import Fresh, StoredEnvelope

SENDER, FIRST, SECOND = uuid4(), uuid4(), uuid4()
NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as store:
        yield store


@pytest.fixture
def uuid(store: Store) -> UUID:
    """Return an envelope that was sent to two mailboxes, and is kept in both."""
    template = TemplateRef(uuid=uuid4(), version=uuid4())
    roles = (Role("sender", SENDER), Role("first", FIRST), Role("second", SECOND))
    batch = Batch(store.blobs)
    sha256 = batch.add(to_xml(Envelope(template=template, state=EnvelopeState(Status.SENT, NOW), roles=roles)))
    row = StoredEnvelope(uuid4(), template.uuid, template.version, SENDER, "SENT", "", "", sha256, NOW, NOW)
    with store.write() as tx:
        batch.put(tx)
        for arrival in envelopes.add(tx, row, [FIRST, SECOND]):
            envelopes.end_arrival(tx, arrival.uuid, "kept")
    return row.uuid


def found(store: Store, uuid: UUID) -> tuple[str, Envelope, list[str], set[str]]:
    with store.read() as connection:
        row = envelopes.get(connection, uuid)
        events = [event.what for event in envelopes.events(connection, uuid)]
        arrivals: set[str] = {arrival.state for arrival in envelopes.arrivals(connection, uuid)}
        return row.status, xml.parse(store.blobs.read(connection, row.sha256)), events, arrivals


def test_the_last_turn_completes_it(store: Store, uuid: UUID) -> None:
    complete(store, uuid, FIRST)
    status, envelope, events, arrivals = found(store, uuid)
    assert (status, envelope.state.status, events, arrivals) == ("SENT", Status.SENT, ["turn ended"], {"kept"})
    assert [role.completed for role in envelope.roles] == [None, True, None]
    complete(store, uuid, SECOND)
    status, envelope, events, arrivals = found(store, uuid)
    assert (status, envelope.state.status) == ("COMPLETED", Status.COMPLETED)
    assert events == ["turn ended", "completed"]
    assert arrivals == {"received"}  # to be looked at again: a rule may deliver an archive now


def test_nobody_completes_out_of_turn_or_twice(store: Store, uuid: UUID) -> None:
    with pytest.raises(StatusError, match="not the turn"):
        complete(store, uuid, SECOND)
    complete(store, uuid, FIRST)
    with pytest.raises(StatusError, match="not the turn"):
        complete(store, uuid, FIRST)
    with pytest.raises(ReconcilerError, match="only a recipient"):
        complete(store, uuid, SENDER)
    assert found(store, uuid)[2] == ["turn ended"]


def test_any_recipient_rejects_it(store: Store, uuid: UUID) -> None:
    reject(store, uuid, SECOND, "not ordered")
    status, envelope, events, _ = found(store, uuid)
    assert (status, envelope.state.message, events) == ("CANCELLED", "not ordered", ["cancelled"])
    with pytest.raises(StatusError, match="cannot complete"):
        complete(store, uuid, FIRST)


def test_an_arrival_that_was_looked_at_before_its_envelope_ended_is_looked_at_again(store: Store, uuid: UUID) -> None:
    with store.read() as connection:
        row = envelopes.get(connection, uuid)
    with store.write() as tx:
        (arrival,) = envelopes.add(tx, replace(row, uuid=uuid4()), [FIRST])
        seen = Fresh(arrival, row, b"")
        begun = jobs.begin(tx, "arrival", arrival.uuid, owner="here", lease=timedelta(minutes=1), at_hand=seen)
    job = begun()
    complete(store, uuid, FIRST)
    complete(store, uuid, SECOND)
    with pytest.raises(ReconcilerError, match="moved on"):
        Receiving(store, Directory(store), Converter.__new__(Converter)).handle(job)
    with store.write() as tx:
        assert envelopes.end_arrival(tx, arrival.uuid, "kept").changed() == 1  # it was not ended
        jobs.finish(tx, job)
