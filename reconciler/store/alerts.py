"""What operators were told of and is not over yet."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from reconciler.store import access_tables, tables
from reconciler.store.job_states import JobState
from reconciler.store.jobs import is_in
from reconciler.store.notice_tables import alert


@dataclass(frozen=True, slots=True)
class Told:
    """What operators know of a concern, and since when."""

    mark: str
    at: datetime


def told(connection: Connection) -> Mapping[str, Told]:
    """Return what operators know, by concern."""
    return {row.concern: Told(row.mark, row.told_at) for row in connection.execute(select(alert))}


def remember(tx: Connection, known: Mapping[str, str], over: Collection[str], now: datetime) -> None:
    """Keep what operators were told just now (marks by concern), and forget what is over."""
    tx.execute(delete(alert).where(alert.c.concern.in_([*over, *known])))
    if known:
        tx.execute(insert(alert), [{"concern": name, "mark": mark, "told_at": now} for name, mark in known.items()])


def dead_letters(connection: Connection) -> list[tuple[str, int, int, str]]:
    """Return the kinds of which jobs are dead: how many, the newest one's number, and its error."""
    job = tables.job.c
    grouped = select(job.kind, func.count().label("number"), func.max(job.number).label("newest"))
    found = grouped.where(is_in(JobState.DEAD)).group_by(job.kind).subquery()
    query = select(found.c.kind, found.c.number, found.c.newest, job.error).join(
        tables.job, job.number == found.c.newest
    )
    return [(row.kind, row.number, row.newest, row.error) for row in connection.execute(query)]


def refused(connection: Connection, *, since: datetime, least: int) -> list[tuple[str, int]]:
    """Return the addresses from which tokens or sign-ins were refused so often since then, and how often."""
    row = access_tables.audit.c
    query = (
        select(row.peer, func.count())
        .where(row.at >= since, row.status.in_((401, 429)))
        .group_by(row.peer)
        .having(func.count() >= least)
    )
    return [(peer, count) for peer, count in connection.execute(query)]


def banned(connection: Connection, *, now: datetime, window: timedelta) -> list[tuple[str, datetime]]:
    """Return who was banned from the SFTP server within the window, until when."""
    row = tables.ban.c
    query = select(row.subject, row.until).where(row.until > now, row.banned_at > now - window)
    return [(subject, until) for subject, until in connection.execute(query)]
