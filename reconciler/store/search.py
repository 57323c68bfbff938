"""Finding records of the conversion log: by what they are about, newest first, a page at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    type_coerce,
)

from reconciler.store import tables
from reconciler.store.statement import Statement

FEW = 1000
"""Matches of a keyword up to which they are fetched and sorted; with more, the newest records are looked through."""

LONGEST_WORD = 40

WORDS_AT_ONCE = 16
"""Words that one statement adds."""

_WORD = re.compile(r"[^\W_]+")
# With all of its moment: whatever a record is made after begins with the same few digits.
_UUID_START = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}[0-9a-f-]{0,23}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """What records are asked for; what is left out does not matter.

    `mailboxes` are those whose records may be seen at all (None: all); `rule` is a rule's address; `keyword` is the
    beginning of words of the file name or of the subject, or of the record's UUID, from its twelfth digit on.
    """

    account: str | None = None
    mailboxes: Sequence[UUID] | None = None
    rule: str | None = None
    no_rule: bool = False
    status: str | None = None
    direction: str | None = None
    keyword: str = ""
    since: datetime | None = None
    until: datetime | None = None


def since(wanted: LogFilter, first: datetime) -> LogFilter:
    """Return a filter that also leaves out what is older."""
    return replace(wanted, since=max(first, wanted.since or first))


def words(text: str) -> list[str]:
    """Return the distinct words of a text, in lower case."""
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in _WORD.findall(text.lower())))


def index(tx: Connection, record: UUID, text: str, *, known: bool) -> None:
    """Make a record be found by the words of a text; `known` says that it may be found by others so far."""
    if known:
        tx.execute(delete(tables.word).where(tables.word.c.conversion == record))
    found = words(text)
    for start in range(0, len(found), WORDS_AT_ONCE):
        some = found[start : start + WORDS_AT_ONCE]
        _adding(len(some)).send(tx, {"conversion": record} | {f"word_{place}": word for place, word in enumerate(some)})


@cache
def _adding(number: int) -> Statement:
    # With their types, which SQLAlchemy finds for the first row only.
    conversion = bindparam("conversion", type_=tables.word.c.conversion.type)
    rows = [
        {"word": bindparam(f"word_{place}", type_=tables.word.c.word.type), "conversion": conversion}
        for place in range(number)
    ]
    return Statement(insert(tables.word).values(rows))


def condition(connection: Connection, wanted: LogFilter) -> ColumnElement[bool]:
    """Return the filter as a condition on the table of records."""
    row = tables.conversion.c
    parts: list[ColumnElement[bool]] = []
    if wanted.account is not None:
        parts.append(_of_account(connection, wanted.account))
    if wanted.mailboxes is not None:
        parts.append(row.mailbox.in_(wanted.mailboxes))
    if wanted.rule is not None:
        parts.append(row.rule == wanted.rule)
    if wanted.no_rule:
        parts.append(row.rule.is_(None))
    if wanted.status is not None:
        parts.append(row.status == wanted.status)
    if wanted.direction is not None:
        parts.append(row.direction == wanted.direction)
    if wanted.since is not None:
        parts.append(row.created_at >= wanted.since)
    if wanted.until is not None:
        parts.append(row.created_at < wanted.until)
    if wanted.keyword.strip():
        parts.append(_by_keyword(connection, wanted.keyword.strip().lower()))
    return and_(true(), *parts)


def _of_account(connection: Connection, account: str) -> ColumnElement[bool]:
    address = tables.mailbox.c.address
    # "/" follows "." in ASCII: this is the range of everything below the account.
    below = and_(address >= f"accounts.{account}.", address < f"accounts.{account}/")
    found = connection.execute(select(tables.mailbox.c.uuid).where(below).limit(FEW + 1)).scalars().all()
    if len(found) <= FEW:
        return tables.conversion.c.mailbox.in_(found)
    return exists().where(tables.mailbox.c.uuid == tables.conversion.c.mailbox, below)


def _by_keyword(connection: Connection, keyword: str) -> ColumnElement[bool]:
    by_words = and_(true(), *(_by_word(connection, word) for word in words(keyword)))
    if not _UUID_START.fullmatch(keyword):
        return by_words
    digits = keyword.replace("-", "")[:32]
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    return or_(by_words, tables.conversion.c.uuid.between(low, high))


def _by_word(connection: Connection, word: str) -> ColumnElement[bool]:
    start = word[:LONGEST_WORD]
    begins = and_(tables.word.c.word >= start, tables.word.c.word < start + "\U0010ffff")
    few = select(tables.word.c.conversion).where(begins).limit(FEW + 1)
    # Counted first: a thousand UUIDs take longer to read than to find.
    if connection.execute(select(func.count()).select_from(few.subquery())).scalar_one() <= FEW:
        return tables.conversion.c.uuid.in_(set(connection.execute(few).scalars()))
    return exists().where(tables.word.c.conversion == tables.conversion.c.uuid, begins)


def outcomes(connection: Connection, wanted: LogFilter, seconds: int) -> dict[tuple[int, str], int]:
    """Return how many records had each status in each span of so many seconds, by the span's number since 1970."""
    row = tables.conversion.c
    # A moment is a number of microseconds on every database.
    span = type_coerce(row.created_at, BigInteger) // (seconds * 1_000_000)
    query = select(span, row.status, func.count()).where(condition(connection, wanted)).group_by(span, row.status)
    return {(int(number), status): count for number, status, count in connection.execute(query)}
