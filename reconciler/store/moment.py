"""Moments in time, the same on every database, and the clock that decides leases."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, literal
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A UTC datetime kept as whole microseconds since 1970: exact, ordered, and free of a database's time zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | int | None, dialect: Dialect) -> int | None:
        """Return microseconds; they may be given as such. Raises TypeError for a datetime without a time zone."""
        del dialect
        return (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return the datetime, in UTC."""
        del dialect
        return None if value is None else _EPOCH + value * _MICROSECOND


def microseconds(delay: timedelta) -> int:
    """Return a delay as it is added to a moment."""
    return delay // _MICROSECOND


def _boot_time() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


_STARTED = (datetime.now(UTC) - _EPOCH) // _MICROSECOND - _boot_time()


def steady_now() -> int:
    """Return this process's moment: right when it started, and from then on not moved with the system's clock."""
    return _STARTED + _boot_time()


def steady_moment() -> datetime:
    """Return `steady_now` as a datetime."""
    return _EPOCH + steady_now() * _MICROSECOND


class _Now(FunctionElement[int]):
    """The moment by the clock that decides when jobs are due and when leases end.

    On PostgreSQL that is the database's clock, the same for all nodes. A SQLite store has one gateway: there it is
    `steady_now`, which connections know as a function.
    """

    inherit_cache = True
    type = BigInteger()


@compiles(_Now, "postgresql")
def _on_postgresql(_element: _Now, _compiler: object, **_: object) -> str:
    return "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


@compiles(_Now, "sqlite")
def _on_sqlite(_element: _Now, _compiler: object, **_: object) -> str:
    return f"{STEADY_NOW}()"


NOW: Final[ColumnElement[int]] = _Now()
STEADY_NOW: Final = "reconciler_now"


def moment(delay: timedelta) -> ColumnElement[int]:
    """Return the moment `delay` from now, as `NOW` tells it."""
    return NOW + literal(microseconds(delay), BigInteger)
