"""Key exchanges that cost this server less than they cost paramiko, and no more than its sessions can spare."""

from secrets import randbits
from threading import Semaphore
from typing import Any

from paramiko import Message
from paramiko.kex_group16 import KexGroup16SHA512

_EXPONENT = 512
"""Bits of a private exponent: twice those of the longest key that comes of it (RFC 4419 section 6.2)."""


class ShortGroup16(KexGroup16SHA512):
    """diffie-hellman-group16-sha512 in half the time: paramiko's exponents have 1024 bits."""

    def _generate_x(self) -> None:
        self.x = randbits(_EXPONENT) | 1 << (_EXPONENT - 1)


class InTurn:
    """A key exchange that takes turns with those of other connections, for it holds up everything else."""

    def __init__(self, exchange: Any, turns: Semaphore) -> None:  # noqa: ANN401 - one of paramiko's
        self.hash_algo = exchange.hash_algo
        self._exchange = exchange
        self._turns = turns

    def start_kex(self) -> None:
        """Begin."""
        with self._turns:
            self._exchange.start_kex()

    def parse_next(self, kind: int, message: Message) -> None:
        """Take what the client sent, and answer it."""
        with self._turns:
            self._exchange.parse_next(kind, message)
