"""A connection to PostgreSQL that sends statements without waiting for the answers to those before (libpq's pipeline).

A statement costs the gateway and the server far less than being woken for its answer, so answers are awaited where
somebody asks for one and when a transaction ends. psycopg's own cursors, which SQLAlchemy uses, work as ever: before
there is one, every answer is in.
"""

import json
import select
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import DataError, InFailedSqlTransaction, NotSupportedError, OperationalError, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.json import Json

_BINARY = 1
_TEXT = 0


class Answer:
    """What a statement led to; whoever asks waits for it. Has what a cursor has, as far as statements need it."""

    __slots__ = ("_connection", "prepared", "result")

    def __init__(self, connection: "PipeliningConnection", prepared: str | None = None) -> None:
        self._connection = connection
        self.prepared = prepared
        self.result: PGresult | None = None

    @property
    def rowcount(self) -> int:
        """How many rows were changed or found."""
        return self._received().command_tuples or 0

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        return next(iter(self), None)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        result = self._received()
        loaders = [_loader(result.ftype(column)) for column in range(result.nfields)]
        for row in range(result.ntuples):
            values = [result.get_value(row, column) for column in range(result.nfields)]
            yield tuple(None if value is None else load(value) for load, value in zip(loaders, values, strict=True))

    def _received(self) -> PGresult:
        if self.result is None:
            self._connection.settle()
        if self.result is None:
            raise InFailedSqlTransaction("the statement was not executed, because one before it failed")
        return self.result


class PipeliningConnection(psycopg.Connection[Any]):
    """A connection of one thread at a time. What it sends is prepared by the server once, under its text."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - psycopg's own
        super().__init__(*arguments, **named)
        self._names: dict[str, bytes] = {}
        self._numbers = count()
        self._unanswered: deque[Answer | None] = deque()  # None: the end of what was sent together
        self._poll = select.poll()

    @classmethod
    def opened(cls, *arguments: Any, **named: Any) -> "PipeliningConnection":  # noqa: ANN401 - psycopg's own
        """Return a connection of which psycopg itself prepares nothing: what it forgets, the server forgets for all."""
        return cls.connect(*arguments, **(named | {"prepare_threshold": None}))

    def begin(self, words: str) -> None:
        """Have what follows belong to one transaction, begun by these words."""
        self._send(words, ())

    def send(self, text: str, parameters: Sequence[object]) -> Answer:
        """Execute a statement with parameters called $1, $2 and so on, in the transaction, begun here if need be."""
        if not self._unanswered and self.pgconn.transaction_status == TransactionStatus.IDLE:
            self.begin("BEGIN")
        return self._send(text, parameters)

    def settle(self) -> None:
        """Wait for the answers to all that was sent. Raises the first error among them."""
        if self._unanswered and self._unanswered[-1] is not None:
            self._sync()
        error: psycopg.Error | None = None
        while self._unanswered:
            result = self._next_result()
            answer = self._unanswered.popleft()
            if result.status in {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.PIPELINE_SYNC}:
                if answer is not None:
                    answer.result = result
                continue
            if answer is not None and answer.prepared is not None:
                del self._names[answer.prepared]
            if error is None:
                error = error_from_result(result)
        if error is not None:
            raise error

    def commit(self) -> None:
        """Commit; when this returns, it is durable."""
        if not self._unanswered and self.pgconn.transaction_status == TransactionStatus.IDLE:
            return
        answer = self._send("COMMIT", ())
        self.settle()
        if answer.result is None or answer.result.command_status != b"COMMIT":
            raise InFailedSqlTransaction("the transaction was rolled back, because a statement in it had failed")

    def end_reading(self) -> None:
        """End a transaction that changed nothing; nobody waits for the answer."""
        self._send("COMMIT", ())
        self._sync()

    def rollback(self) -> None:
        """Roll the transaction back."""
        with suppress(psycopg.Error):  # told before, or of no interest any more
            self.settle()
        self._leave()
        super().rollback()

    def ping(self) -> None:
        """Ask whether the server is there. Raises OperationalError when it is not."""
        self._send("SELECT 1", ())
        self.settle()

    def cursor(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - psycopg's own
        """Return one of psycopg's cursors, behind all that was sent."""
        self._leave()
        return super().cursor(*arguments, **named)

    def _leave(self) -> None:
        """Become a connection that psycopg knows."""
        self.settle()
        if self.pgconn.pipeline_status != PipelineStatus.OFF:
            self.pgconn.exit_pipeline_mode()

    def _send(self, text: str, parameters: Sequence[object]) -> Answer:
        if self.pgconn.pipeline_status == PipelineStatus.OFF:
            self.pgconn.enter_pipeline_mode()
        name = self._names.get(text)
        if name is None:
            name = self._names[text] = f"reconciler_{next(self._numbers)}".encode()
            self.pgconn.send_prepare(name, text.encode())
            self._unanswered.append(Answer(self, prepared=text))
        values = [None if value is None else _dumper(type(value))(value) for value in parameters]
        formats = [_BINARY if isinstance(value, bytes) else _TEXT for value in parameters]
        self.pgconn.send_query_prepared(name, values, formats, _BINARY)
        answer = Answer(self)
        self._unanswered.append(answer)
        return answer

    def _sync(self) -> None:
        """Have the server do what was sent, and answer."""
        self.pgconn.pipeline_sync()
        self._unanswered.append(None)

    def _next_result(self) -> PGresult:
        while True:
            while (is_sending := self.pgconn.flush()) or self.pgconn.is_busy():
                self._poll.register(self.pgconn.socket, select.POLLIN | (select.POLLOUT if is_sending else 0))
                self._poll.poll()
                self.pgconn.consume_input()
            result = self.pgconn.get_result()
            if result is not None:
                return result
            if self.pgconn.status == ConnStatus.BAD:
                raise OperationalError("the connection to the server is lost")


def _dumper(kind: type) -> Callable[[Any], bytes]:
    found = _DUMPERS.get(kind)
    if found is None:
        found = next((dump for base, dump in _DUMPERS.items() if issubclass(kind, base)), None)
        if found is None:
            raise NotSupportedError(f"a value of type {kind.__name__} is sent by no statement so far")
        _DUMPERS[kind] = found
    return found


def _loader(oid: int) -> Callable[[bytes], Any]:
    try:
        return _LOADERS[oid]
    except KeyError:
        raise NotSupportedError(f"a value of PostgreSQL's type {oid} is returned by no statement so far") from None


def _text(value: str) -> bytes:
    if "\0" in value:  # where libpq would end it, without a word
        raise DataError("PostgreSQL's text has no NUL")
    return value.encode()


def _integer(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


# Numbers go as text, of which the server takes the width that it needs.
_DUMPERS: dict[type, Callable[[Any], bytes]] = {
    str: _text,
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: b"%d" % value,
    bytes: bytes,
    UUID: lambda value: value.hex.encode(),
    Json: lambda value: json.dumps(value.obj).encode(),
}

# By the OIDs of PostgreSQL's catalogue (pg_type.dat): bool, bytea, int8, int2, int4, text, json, varchar, void, uuid.
_LOADERS: dict[int, Callable[[bytes], Any]] = {
    16: lambda value: value != b"\0",
    17: bytes,
    20: _integer,
    21: _integer,
    23: _integer,
    25: bytes.decode,
    114: json.loads,
    1043: bytes.decode,
    2278: lambda _: None,
    2950: lambda value: UUID(bytes=value),
}
