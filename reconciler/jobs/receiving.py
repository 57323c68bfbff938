"""IN: an envelope that arrived in a mailbox becomes a partner's file, or what the default rule says."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from reconciler.conversion.converter import Converter, UnfinishedError
from reconciler.envelope import xml
from reconciler.envelope.pipeline import (
    Arrived,
    AwaitCompletion,
    Convert,
    CopyToPartner,
    Exchange,
    Keep,
    Notify,
    Reject,
    on_arrival,
    on_completion,
)
from reconciler.envelope.xml import Status
from reconciler.errors import BlobError, ConversionError
from reconciler.jobs import error_folder, measures, notices
from reconciler.jobs.closing import close
from reconciler.jobs.delivery import Delivery, deliver
from reconciler.jobs.directory import Directory, Snapshot
from reconciler.jobs.partner_file import PartnerFileMaker
from reconciler.model.key import Key
from reconciler.model.rule import Direction, Rule
from reconciler.protocols.sftp.settings import NAME as SFTP
from reconciler.store import conversions, envelopes, jobs
from reconciler.store.blobs import Batch
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.envelopes import Arrival, ArrivalState, Fresh, StoredEnvelope
from reconciler.store.jobs import Job
from reconciler.store.row_uuid import new_row_uuid

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An arrived envelope with all that is known of it; `retried` is the FAILED record that is run again, if any."""

    arrival: Arrival
    row: StoredEnvelope
    exchange: Exchange
    snapshot: Snapshot
    retried: UUID | None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def record(self, *, rule: Key | None, status: ConversionStatus, file_name: str) -> Conversion:
        """Return a log record of this case."""
        return Conversion(
            uuid=self.retried or new_row_uuid(),
            created_at=self.now,
            changed_at=self.now,
            status=status,
            direction=Direction.IN,
            mailbox=self.arrival.mailbox,
            rule=str(rule) if rule else None,
            arrival=self.arrival.uuid,
            envelopes=[self.row.uuid],
            file_name=file_name,
            subject=self.row.subject,
            input=self.row.sha256,
        )


class Receiving:
    """Handles jobs of kind `arrival`; the subject is the arrival's UUID."""

    def __init__(self, store: Store, directory: Directory, converter: Converter) -> None:
        self._store = store
        self._directory = directory
        self._maker = PartnerFileMaker(store, converter)

    def handle(self, job: Job) -> None:
        """Decide what becomes of the envelope and commit it with all its effects and the job's end."""
        case, decision, read = self._known(job.at_hand) if isinstance(job.at_hand, Fresh) else self._looked_up(job)
        match decision:
            case Convert(key, rule):
                self._convert(job, case, key, rule, read)
            case CopyToPartner():
                self._commit(job, case, "delivered", lambda tx: self._copy(tx, case))
            case Notify(email):
                sender = str(case.snapshot.keys.get(case.row.sender, case.row.sender))
                self._commit(
                    job, case, "notified", lambda tx: notices.of_arrival(tx, email, _key(case), case.row, sender)
                )
            case Reject(reason):
                self._reject(job, case, reason, read())
            case Keep() | AwaitCompletion():
                # Once it is kept, whoever completes it begins anew; before, that is for the next try to see.
                self._commit(job, case, "kept", lambda tx: envelopes.require_as_seen(tx, case.row))
            case _:
                assert_never(decision)

    def _known(self, fresh: Fresh) -> tuple[Case, Arrived, Callable[[], bytes]]:
        """Return what there is to say of an envelope that its sender hands over."""
        case = _case(fresh.arrival, fresh.row, self._directory.known(), None)
        return case, _decision(case), lambda: fresh.content

    def _looked_up(self, job: Job) -> tuple[Case, Arrived, Callable[[], bytes]]:
        with self._store.read() as connection:
            case = self._case(connection, UUID(job.subject))
            decision = _decision(case)
            is_read = isinstance(decision, Convert | Reject)
            return case, decision, self._store.blobs.reading(connection, case.row.sha256) if is_read else bytes

    def give_up(self, job: Job, error: str) -> None:
        """End an arrival that could not even be tried to its end: FAILED, with the envelope in `error/`."""
        with self._store.read() as connection:
            case = self._case(connection, UUID(job.subject))
        self._fail(
            job, case, None, ConversionError("internal_error", f"processing ended with an internal error: {error}")
        )

    def _case(self, connection: Connection, uuid: UUID) -> Case:
        newest = self._directory.seen_by(connection)
        failed = conversions.failed_of_arrival(connection, uuid)
        arrival, row = envelopes.arrived(connection, uuid)
        snapshot = newest()
        (retried,) = failed.first() or (None,)
        return _case(arrival, row, snapshot, retried)

    def _commit(self, job: Job, case: Case, state: ArrivalState, effects: Callable[[Connection], None]) -> None:
        """End the job with its effects, unless an earlier attempt has done them already."""
        with self._store.write() as tx:
            ended = envelopes.end_arrival(tx, case.arrival.uuid, state)
            jobs.finish(tx, job)
            if ended.changed():
                effects(tx)
                envelopes.add_event(tx, case.row.uuid, state, mailbox=case.arrival.mailbox)
        if state == "delivered" and case.exchange.protocol == SFTP:
            measures.DELIVERIES.labels("placed").inc()
        _log.info("mailbox %s: envelope is %s", case.arrival.mailbox, state, extra={"envelope": str(case.row.uuid)})

    def _convert(self, job: Job, case: Case, key: Key, rule: Rule, read: Callable[[], bytes]) -> None:
        try:
            made = self._maker.make(case.row, read(), case.arrival.mailbox, case.snapshot, rule)
        except BlobError as error:
            self._fail(job, case, key, ConversionError("payload_damaged", str(error)))
            return
        except ConversionError as error:
            self._fail(job, case, key, error)
            return
        batch = Batch(self._store.blobs)
        output = batch.add(made.content)
        status = ConversionStatus.REPROCESSED if case.retried else ConversionStatus.PROCESSED
        record = case.record(rule=key, status=status, file_name=made.name)

        def effects(tx: Connection) -> None:
            batch.put(tx)
            delivery = _delivery(case, made.name, output, len(made.content), made.content_type, record.uuid)
            placed = deliver(tx, delivery)
            found = replace(record, file_name=placed, output=output, messages=made.messages, attributes=made.attributes)
            conversions.put(tx, found, is_new=case.retried is None)

        self._commit(job, case, "delivered", effects)
        measures.count_conversion(record.rule, record.direction, record.status)

    def _copy(self, tx: Connection, case: Case) -> None:
        """Put a copy of the envelope as it is on the remote side."""
        size = self._store.blobs.size(tx, case.row.sha256)
        deliver(tx, _delivery(case, f"{case.row.uuid}.xml", case.row.sha256, size, "application/xml", None))

    def _reject(self, job: Job, case: Case, reason: str, content: bytes) -> None:
        batch = Batch(self._store.blobs)
        closed = close(batch, case.row, xml.parse(content), case.arrival.mailbox, reason=reason, now=case.now)

        def effects(tx: Connection) -> None:
            batch.put(tx)
            closed(tx)

        self._commit(job, case, "rejected", effects)

    def _fail(self, job: Job, case: Case, key: Key | None, error: ConversionError) -> None:
        name = f"{case.row.uuid}.xml"
        batch = Batch(self._store.blobs)
        made = error.made if isinstance(error, UnfinishedError) else None
        record = replace(
            case.record(rule=key, status=ConversionStatus.FAILED, file_name=name),
            error_code=error.code,
            error=str(error),
            output=batch.add(made.results[0]) if made and made.results else None,
            messages=made.messages if made else (),
        )

        def effects(tx: Connection) -> None:
            batch.put(tx)
            conversions.put(tx, record, is_new=case.retried is None)
            error_folder.put(
                tx,
                self._store,
                case.arrival.mailbox,
                name,
                sha256=case.row.sha256,
                size=self._store.blobs.size(tx, case.row.sha256),
                record=record,
                now=case.now,
            )
            notices.of_failure(tx, case.exchange, record)

        self._commit(job, case, "failed", effects)
        measures.count_conversion(record.rule, record.direction, record.status)


def _case(arrival: Arrival, row: StoredEnvelope, snapshot: Snapshot, retried: UUID | None) -> Case:
    exchange = snapshot.exchange(arrival.mailbox)
    return Case(arrival=arrival, row=row, exchange=exchange, snapshot=snapshot, retried=retried)


def _decision(case: Case) -> Arrived:
    match Status(case.row.status):
        case Status.SENT | Status.WAITING:
            return on_arrival(case.row.template, case.exchange)
        case Status.COMPLETED:
            return on_completion(case.row.template, case.exchange)
        case Status.CANCELLED | Status.EXPIRED | Status.DRAFT:
            return Keep()  # another recipient ended it first: there is nothing to exchange any more
        case status:
            assert_never(status)


def _key(case: Case) -> Key | None:
    return case.snapshot.keys.get(case.arrival.mailbox)


def _delivery(case: Case, name: str, sha256: str, size: int, content_type: str, conversion: UUID | None) -> Delivery:
    return Delivery(
        mailbox=case.arrival.mailbox,
        protocol=case.exchange.protocol,
        envelope=case.row.uuid,
        conversion=conversion,
        name=name,
        sha256=sha256,
        size=size,
        content_type=content_type,
        subject=case.row.subject,
        now=case.now,
        ordered=case.snapshot.is_ordered(case.arrival.mailbox),
    )
