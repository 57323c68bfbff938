"""Running a failed conversion again, with the rules as they are now, without doing twice what was done once."""

from uuid import UUID

from sqlalchemy import Connection

from reconciler.errors import ReconcilerError
from reconciler.jobs import error_folder
from reconciler.model.rule import Direction
from reconciler.model.source_file import digest
from reconciler.store import conversions, envelopes, jobs, posts, receipts
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.forgetting import FORGOTTEN


def reprocess(store: Store, uuid: UUID) -> None:
    """Have a FAILED record of the conversion log run again.

    Raises NotFoundError, or ReconcilerError when it has not failed or is being run again already.
    """
    with store.write() as tx:
        record = conversions.get(tx, uuid)
        if record.status is not ConversionStatus.FAILED:
            raise ReconcilerError(f"Record {uuid} is {record.status}; only what FAILED is run again.")
        convert_again(tx, record)


def convert_again(tx: Connection, record: Conversion, *, name: str | None = None) -> None:
    """Make the input of a failed record work to be done, its file being called `name` from now on.

    Raises ReconcilerError when it is work to be done already.
    """
    error_folder.clear(tx, record)
    post = posts.of_conversion(tx, record.uuid)
    if post is not None:
        # The conversion was committed and only its delivery failed: the same message goes out again.
        posts.change(tx, post.message_id, "waiting")
        if not jobs.revive(tx, "post", post.message_id):
            raise ReconcilerError(f"Message {post.message_id} of record {record.uuid} is being posted already.")
        return
    match record.direction:
        case Direction.OUT:
            _out_again(tx, record, name or record.file_name)
        case Direction.IN:
            _in_again(tx, record)


def _out_again(tx: Connection, record: Conversion, name: str) -> None:
    if record.error_code == posts.REFUSED:
        raise ReconcilerError(f"Message {record.file_name} was refused; the partner has to send it again.")
    if record.error_code == posts.LOST:
        raise ReconcilerError(f"Message {record.file_name} is lost; the partner has to send it again.")
    if record.input == digest(FORGOTTEN):
        raise ReconcilerError(f"The input of record {record.uuid} was forgotten; see retention in reconciler.yaml.")
    if record.receipt is None or not receipts.again(tx, record.receipt, conversion=record.uuid, name=name):
        raise ReconcilerError(f"Record {record.uuid} is being run again already.")
    jobs.add(tx, "receipt", record.receipt, priority=jobs.IN_A_HURRY)


def _in_again(tx: Connection, record: Conversion) -> None:
    if record.arrival is None or not envelopes.arrive_again(tx, record.arrival, ended="failed"):
        raise ReconcilerError(f"Record {record.uuid} is being run again already.")
    jobs.add(tx, "arrival", record.arrival, priority=jobs.IN_A_HURRY)
