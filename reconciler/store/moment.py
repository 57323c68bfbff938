"""Moments in time, the same on every database, and the clock that decides leases."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Connection, literal, literal_column
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A UTC datetime kept as whole microseconds since 1970: exact, ordered, and free of a database's time zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return microseconds. Raises TypeError for a datetime without a time zone."""
        del dialect
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return the datetime, in UTC."""
        del dialect
        return None if value is None else _EPOCH + value * _MICROSECOND


def _boot_time() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


_STARTED = (datetime.now(UTC) - _EPOCH) // _MICROSECOND - _boot_time()


def moment(connection: Connection, delay: timedelta = timedelta()) -> ColumnElement[int]:
    """Return the moment `delay` from now, by the clock that decides when jobs are due and when leases end.

    On PostgreSQL that is the database's clock, the same for all nodes. A SQLite store has one gateway: there it is
    the clock of this process, set when it started and from then on not moved by what is done to the system's clock.
    """
    microseconds = delay // _MICROSECOND
    if connection.dialect.name == "postgresql":
        now = literal_column("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", BigInteger)
        return now + literal(microseconds, BigInteger) if microseconds else now
    return literal(_STARTED + _boot_time() + microseconds, BigInteger)
