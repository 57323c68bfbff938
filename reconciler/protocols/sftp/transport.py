"""paramiko's transport, as this server lets it be: modern algorithms, bounded packets, no delays."""

import logging
from collections.abc import Iterable
from socket import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY, socket

from paramiko import PKey, SSHException, Transport
from paramiko.packet import Packetizer

KEX = ("mlkem768x25519-sha256", "curve25519-sha256@libssh.org", "diffie-hellman-group16-sha512")
HOST_KEYS = (
    "ssh-ed25519",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
)
CIPHERS = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
MACS = ("hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com")

LONGEST_PACKET = 256 * 1024
"""Bytes that an SSH packet may have, as in OpenSSH; RFC 4253 section 6.1 asks for 35,000 at least."""

TRIES = 10
"""Failed tries after which paramiko ends a connection."""

_LOG_CHANNEL = f"{__name__}.paramiko"

# paramiko reports what strangers send as errors with tracebacks: anyone who finds the port could fill the log.
logging.getLogger(_LOG_CHANNEL).setLevel(logging.CRITICAL)


class BoundedPacketizer(Packetizer):
    """Refuses a packet by its length; paramiko itself would wait for up to 4 GB, and keep them, before any login."""

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: FBT001, FBT002 - as paramiko calls it
        """Return `n` bytes. Raises SSHException when no packet has so many."""
        if n > LONGEST_PACKET:
            raise SSHException(f"a packet of {n} bytes; at most {LONGEST_PACKET} are taken")
        return super().read_all(n, check_rekey)


def server_transport(connection: socket, host_keys: Iterable[PKey]) -> Transport:
    """Return the server side of SSH on a connection; it starts nothing yet."""
    # A status has 28 bytes: waiting for more to send with it costs a client the round trip many times over.
    connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    # A peer that vanished without a word is noticed after two minutes.
    connection.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    for option, value in ((TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4)):
        connection.setsockopt(IPPROTO_TCP, option, value)
    transport = Transport(connection, packetizer_class=BoundedPacketizer)
    transport.name = "sftp connection"
    transport.set_log_channel(_LOG_CHANNEL)
    transport.local_version = "SSH-2.0-Reconciler"
    options = transport.get_security_options()
    # mlkem needs a cryptography that has it.
    options.kex = tuple(name for name in KEX if name in options.kex)
    options.ciphers = CIPHERS
    options.digests = MACS
    options.key_types = HOST_KEYS
    for key in host_keys:
        transport.add_server_key(key)
    return transport
