"""What a mailbox has still to deliver."""

from uuid import UUID

from sqlalchemy import Connection, and_, func, or_, select

from reconciler.store import tables


def count(connection: Connection, mailbox: UUID) -> int:
    """Return how many envelopes of a mailbox are on their way: inputs to work off, arrivals to exchange, posts.

    An envelope that is kept in the mailbox counts while it is open: somebody has to complete or reject it there.
    """
    receipt, arrival, envelope, post = (
        tables.receipt.c,
        tables.arrival.c,
        tables.envelope.c,
        tables.post.c,
    )
    waiting = or_(
        arrival.state == "received",
        and_(arrival.state.in_(("kept", "notified")), envelope.status.in_(("SENT", "WAITING"))),
    )
    queries = (
        select(func.count()).where(receipt.mailbox == mailbox, receipt.state == "received"),
        select(func.count())
        .select_from(tables.arrival.join(tables.envelope, arrival.envelope == envelope.uuid))
        .where(arrival.mailbox == mailbox, waiting),
        select(func.count()).where(post.mailbox == mailbox, post.state.in_(("waiting", "sent"))),
    )
    return sum(int(connection.execute(query).scalar_one()) for query in queries)
