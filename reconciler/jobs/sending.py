"""OUT: an acknowledged input becomes envelopes that are sent, or a FAILED record with the file in `error/`."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from reconciler.conversion.converter import Converted, Converter, OutConversion, UnfinishedError
from reconciler.conversion.ready_envelope import ReadyEnvelope, made_ready
from reconciler.conversion.results import together
from reconciler.envelope.check import check_addressing
from reconciler.envelope.match import PartnerFile
from reconciler.envelope.pipeline import Convert, NoRule, SendAsIs, on_file
from reconciler.envelope.status import Event, advance
from reconciler.envelope.xml import Status
from reconciler.errors import BlobError, ConversionError
from reconciler.jobs import error_folder, measures, notices
from reconciler.jobs.acceptance import NATIVE_FOLDER, PARTNER_FOLDER
from reconciler.jobs.directory import Directory, Snapshot
from reconciler.jobs.job import LEASE
from reconciler.jobs.lookups import MailboxLookups
from reconciler.jobs.queues import ordered_queue
from reconciler.model.key import Key
from reconciler.model.rule import Direction, Rule
from reconciler.model.template_ref import TemplateRef
from reconciler.store import conversions, envelopes, files, jobs, receipts
from reconciler.store.blobs import Batch
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.envelopes import Arrival, Attachment, Fresh, StoredEnvelope
from reconciler.store.jobs import Job
from reconciler.store.receipts import Receipt
from reconciler.store.row_uuid import new_row_uuid

_log = logging.getLogger(__name__)

LARGEST_FAULT_LIST = 20
"""Faults of an envelope that one error message lists."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an input was turned into: envelopes with their UUIDs, or an error; and by which rule."""

    rule: Key | None
    converted: Converted | None
    envelopes: Sequence[tuple[UUID, ReadyEnvelope]] = ()
    error: ConversionError | None = None


class Sending:
    """Handles jobs of kind `receipt`; the subject is the receipt's UUID."""

    def __init__(self, store: Store, directory: Directory, converter: Converter) -> None:
        self._store = store
        self._directory = directory
        self._converter = converter

    def handle(self, job: Job) -> Job | None:
        """Turn the input into envelopes and commit them with all their effects and the job's end.

        The first arrival that keeps no order follows at once.
        """
        with self._store.read() as connection:
            newest = self._directory.seen_by(connection)
            receipt = receipts.get(connection, UUID(job.subject))
            snapshot = newest()
            read = self._store.blobs.reading(connection, receipt.sha256)
        return self._commit(job, receipt, snapshot, self.outcome(receipt, snapshot, read))

    def give_up(self, job: Job, error: str) -> None:
        """End an input that could not even be tried to its end: FAILED, with the file in `error/`."""
        snapshot = self._directory.current()
        with self._store.read() as connection:
            receipt = receipts.get(connection, UUID(job.subject))
        failure = ConversionError("internal_error", f"processing ended with an internal error: {error}")
        self._commit(job, receipt, snapshot, Outcome(None, None, error=failure))

    def outcome(self, receipt: Receipt, snapshot: Snapshot, read: Callable[[], bytes]) -> Outcome:
        """Return what an input is turned into; nothing is recorded."""
        rule_key: Key | None = None
        converted: Converted | None = None
        now = datetime.now(UTC)
        try:
            payload = read()
            file = PartnerFile(receipt.name, lambda: payload, receipt.attributes)
            decision = on_file(file, native=receipt.native, rules=snapshot.exchange(receipt.mailbox).rules)
            match decision:
                case NoRule():
                    return Outcome(None, None, error=_no_rule(receipt))
                case SendAsIs():
                    made: Sequence[ReadyEnvelope] = [made_ready(payload, definition=snapshot.template, sent=now)]
                    template = made[0].template
                case Convert(rule_key, rule):
                    template = rule.template
                    converted = self._convert(payload, receipt, snapshot, rule, now)
                    made = converted.ready
                case _:
                    assert_never(decision)
            _require_fit(made, receipt, snapshot, template)
        except BlobError as error:
            return Outcome(rule_key, converted, error=ConversionError("payload_damaged", str(error)))
        except UnfinishedError as error:
            return Outcome(rule_key, error.made, error=error)
        except ConversionError as error:
            return Outcome(rule_key, converted, error=error)
        return Outcome(rule_key, converted, [(new_row_uuid(), envelope) for envelope in made])

    def _convert(self, payload: bytes, receipt: Receipt, snapshot: Snapshot, rule: Rule, now: datetime) -> Converted:
        request = OutConversion.by(
            rule,
            payload,
            file_name=receipt.name,
            content_type=receipt.content_type,
            sender_mailbox=receipt.mailbox,
            sent=now,
            definition=snapshot.template_file(rule.template),
        )
        return self._converter.convert_out(request, MailboxLookups(self._store, snapshot, receipt.mailbox))

    def _commit(self, job: Job, receipt: Receipt, snapshot: Snapshot, outcome: Outcome) -> Job | None:
        now = datetime.now(UTC)
        batch = Batch(self._store.blobs)
        record = _record(receipt, outcome, batch, now)
        sent = []
        for uuid, envelope in outcome.envelopes:
            row = _stored(uuid, envelope, receipt, batch.add(envelope.content), now)
            attachments = _attachments(row, envelope.content, receipt, outcome.converted)
            sent.append((row, envelope, attachments))
        with self._store.write() as tx:
            ended = receipts.end(tx, receipt.uuid, "failed" if outcome.error else "done")
            jobs.finish(tx, job)
            if ended.changed() == 0:
                return None  # withdrawn by the partner meanwhile
            batch.put(tx)
            folder = NATIVE_FOLDER if receipt.native else PARTNER_FOLDER
            files.remove_of_receipt(tx, receipt.mailbox, folder, receipt.name, receipt.uuid)
            conversions.put(tx, record, is_new=receipt.conversion is None)
            following: Callable[[], Job] | None = None
            for row, envelope, attachments in sent:
                for arrival in _send(tx, row, envelope.recipients, attachments):
                    queue = ordered_queue("arrival", arrival.mailbox, snapshot)
                    if queue or following is not None:
                        jobs.add(tx, "arrival", arrival.uuid, queue=queue, ordered=bool(queue))
                    else:
                        fresh = Fresh(arrival, row, envelope.content)
                        following = jobs.begin(tx, "arrival", arrival.uuid, owner=job.owner, lease=LEASE, at_hand=fresh)
                if envelope.expires is not None:
                    jobs.add(tx, "expiry", row.uuid, delay=max(envelope.expires - now, timedelta()))
            if outcome.error is not None:
                self._fail(tx, receipt, snapshot, record, now)
        measures.count_conversion(record.rule, record.direction, record.status)
        measures.ENVELOPES.inc(len(sent))
        if outcome.error is not None:
            _log.warning("mailbox %s: %s failed: %s", receipt.mailbox, receipt.name, outcome.error)
        for row, envelope, _ in sent:
            to = ", ".join(map(str, envelope.recipients))
            _log.info(
                "mailbox %s: %s is sent to %s", receipt.mailbox, receipt.name, to, extra={"envelope": str(row.uuid)}
            )
        return following() if following else None

    def _fail(self, tx: Connection, receipt: Receipt, snapshot: Snapshot, record: Conversion, now: datetime) -> None:
        if receipt.channel == "sftp":
            error_folder.put(
                tx,
                self._store,
                receipt.mailbox,
                receipt.name,
                sha256=receipt.sha256,
                size=receipt.size,
                record=record,
                now=now,
            )
        notices.of_failure(tx, snapshot.exchange(receipt.mailbox), record)


def _require_fit(made: Sequence[ReadyEnvelope], receipt: Receipt, snapshot: Snapshot, template: TemplateRef) -> None:
    """Raise ConversionError with everything that is wrong with the first envelope that cannot be sent."""
    for number, envelope in enumerate(made, 1):
        addressing = check_addressing(
            envelope.template,
            envelope.roles,
            template=template,
            mailbox_exists=snapshot.keys.__contains__,
            sender=receipt.mailbox,
        )
        faults = (*addressing, *envelope.faults)
        if faults:
            # The record's code is the first one's.
            more_codes = (f"{fault} ({fault.code})" for fault in faults[1:LARGEST_FAULT_LIST])
            listed = "; ".join([str(faults[0]), *more_codes])
            more = f"; and {len(faults) - LARGEST_FAULT_LIST} more" if len(faults) > LARGEST_FAULT_LIST else ""
            which = f"envelope {number}: " if len(made) > 1 else ""
            raise ConversionError(faults[0].code, which + listed + more)


def _no_rule(receipt: Receipt) -> ConversionError:
    return ConversionError(
        "no_rule_matches", f"no active OUT rule of the mailbox or of its account matches '{receipt.name}'"
    )


def _record(receipt: Receipt, outcome: Outcome, batch: Batch, now: datetime) -> Conversion:
    success = ConversionStatus.REPROCESSED if receipt.conversion else ConversionStatus.PROCESSED
    converted = outcome.converted
    output = together(converted.results) if converted and converted.results else None
    source = converted.source_xml if converted else None
    return Conversion(
        uuid=receipt.conversion or new_row_uuid(),
        created_at=now,
        changed_at=now,
        status=ConversionStatus.FAILED if outcome.error else success,
        direction=Direction.OUT,
        mailbox=receipt.mailbox,
        rule=str(outcome.rule) if outcome.rule else None,
        receipt=receipt.uuid,
        envelopes=[uuid for uuid, _ in outcome.envelopes],
        file_name=receipt.name,
        subject="; ".join(envelope.subject for _, envelope in outcome.envelopes),
        error_code=outcome.error.code if outcome.error else "",
        error=str(outcome.error) if outcome.error else "",
        input=receipt.sha256,
        source=None if source is None else batch.add(source),
        output=None if output is None else batch.add(output),
        messages=converted.messages if converted else (),
        attributes=converted.attributes if converted else {},
    )


def _stored(uuid: UUID, envelope: ReadyEnvelope, receipt: Receipt, sha256: str, now: datetime) -> StoredEnvelope:
    return StoredEnvelope(
        uuid=uuid,
        template_uuid=envelope.template.uuid,
        template_version=envelope.template.version,
        sender=receipt.mailbox,
        status=advance(Status.DRAFT, Event.SEND),
        subject=envelope.subject,
        reason="",
        sha256=sha256,
        created_at=now,
        changed_at=now,
    )


def _attachments(
    row: StoredEnvelope, content: bytes, receipt: Receipt, converted: Converted | None
) -> list[Attachment]:
    """Return what the map attached to this envelope: copies of the source file, by the UUIDs that its XML names."""
    uuids = [UUID(placeholder) for placeholder in (converted.attachments if converted else ())]
    return [Attachment(uuid, row.uuid, receipt.name, receipt.sha256) for uuid in uuids if str(uuid).encode() in content]


def _send(
    tx: Connection, row: StoredEnvelope, recipients: Sequence[UUID], attachments: Sequence[Attachment]
) -> list[Arrival]:
    """Create one envelope and its attachments; return its arrival in every recipient's mailbox."""
    arrivals = envelopes.add(tx, row, recipients)
    for attachment in attachments:
        envelopes.attach(tx, attachment)
    envelopes.add_event(tx, row.uuid, "sent", mailbox=row.sender)
    return arrivals
