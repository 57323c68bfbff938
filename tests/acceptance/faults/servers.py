"""Web servers of partners that do not get as far as HTTP."""

import socket
import ssl
import struct
import threading
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Self

HELLO = 5
"""The bytes of a TLS record's head."""


class BrokenTls:
    """A server that breaks the handshake of each connection in another way."""

    def __init__(self, port: int, key: bytes, certificate: bytes, folder: Path) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self._stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = folder / "stranger.pem"
        pem.write_bytes(key + certificate)
        self._stranger.load_cert_chain(pem)
        self.seen: list[str] = []  # how each connection was broken
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        ways = cycle([self._stranger_answers, speaks_no_tls, is_cut])
        for way in ways:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.seen.append(way.__name__)
            connection.settimeout(5)
            with connection, suppress(OSError):  # of TLS, too: the gateway ends what it does not trust
                way(connection)

    def _stranger_answers(self, connection: socket.socket) -> None:
        with self._stranger.wrap_socket(connection, server_side=True) as secured:
            while secured.recv(65536):
                continue


def speaks_no_tls(connection: socket.socket) -> None:
    connection.recv(HELLO)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def is_cut(connection: socket.socket) -> None:
    connection.recv(HELLO)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
