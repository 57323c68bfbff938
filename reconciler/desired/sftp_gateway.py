"""`gateway.sftp`: what the SFTP server is like for everybody."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from reconciler.desired.listen import Listen
from reconciler.model.network import canonical_networks
from reconciler.model.noun import Noun

LegacyAlgorithm = Literal[
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "aes256-cbc",
    "aes192-cbc",
    "aes128-cbc",
    "3des-cbc",
    "hmac-sha2-512",
    "hmac-sha2-256",
    "hmac-sha1",
]
"""Algorithms that no client gets by default, in the order of preference."""

Networks = Annotated[tuple[str, ...], AfterValidator(canonical_networks)]


def _are_generations(generations: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(generations)) < len(generations):
        raise ValueError("each generation of a key is named once")
    return generations


Generations = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], AfterValidator(_are_generations), Field(examples=[[1], [1, 2]])
]


class HostKeys(Noun):
    """Host keys by type: generations, of which the first is used, and all are announced to clients that learn keys.

    A rotation that no client notices: [1], then [1, 2], some weeks later [2, 1], then [2].
    """

    ed25519: Generations = Field(default=(1,), description="Generations of Ed25519 keys; the first is used.")
    rsa: Generations = Field(default=(1,), description="Generations of RSA keys of 3072 bits; the first is used.")
    ecdsa: Generations = Field(default=(), description="Generations of ECDSA keys on P-256; the first is used.")


class SftpLimits(Noun):
    """What strangers, and then partners, may take up."""

    login_grace: float = Field(default=30.0, gt=0, le=600, description="Seconds in which a connection has to log in.")
    unauthenticated: int = Field(
        default=128, ge=1, description="Connections that have not logged in; above, one of them is dropped at random."
    )
    unauthenticated_per_address: int = Field(default=64, ge=1, description="The same, of one address.")
    burst_per_address: int = Field(
        default=16, ge=1, description="Connections of one address that are served at once before any of them logs in."
    )
    rate_per_address: float = Field(
        default=5.0,
        gt=0,
        description="Connections a second of one address that do not come to a login; more wait for their turn. "
        "Networks of `never_ban` do not wait.",
    )
    key_exchanges: int = Field(
        default=2, ge=1, description="Key exchanges that are worked out at once, so that sessions keep their share."
    )
    tries: int = Field(default=6, ge=1, le=10, description="Failed logins of a connection, after which it is ended.")
    channels: int = Field(default=8, ge=1, description="Sessions of a connection.")
    handles: int = Field(default=128, ge=1, description="Open files of a session.")
    file_size: int = Field(default=4 * 1024**3, ge=1, description="Bytes of a file.")


class SftpDefence(Noun):
    """When an address, or a login, is banned: after failed logins, for a time that doubles with every further ban."""

    ban_after: int = Field(default=8, ge=1, description="Failed logins of an address that ban it.")
    ban_login_after: int = Field(
        default=50,
        ge=1,
        description="Failed tries of one login, from wherever, that ban it for all addresses but those that it has "
        "logged in from.",
    )
    window: int = Field(default=600, ge=1, description="Seconds after which a failed login is forgotten.")
    ban_time: int = Field(default=600, ge=1, description="Seconds of the first ban.")
    longest_ban: int = Field(default=7 * 86400, ge=1, description="Seconds of the longest ban.")
    never_ban: Networks = Field(default=(), description="Networks that are never banned.", examples=[["192.0.2.0/24"]])


class SftpGateway(Noun):
    """The SFTP server."""

    listen: Listen = Field(
        default=Listen(host="127.0.0.1", port=2222),
        description="Where the SFTP server listens.",
        examples=["0.0.0.0:2222", "[::]:2222"],
    )
    public_host: str | None = Field(
        default=None,
        min_length=1,
        description="The host name that partners are told to connect to. Default: where it listens.",
        examples=["edi.example.com"],
    )
    host_keys: HostKeys = Field(default=HostKeys(), description="The keys by which clients know this server.")
    legacy_algorithms: tuple[LegacyAlgorithm, ...] = Field(
        default=(), description="Old algorithms that are offered after the modern ones, for partners who need them."
    )
    post_quantum_only: bool = Field(
        default=False,
        description="Offer no key exchange that a quantum computer could break; of OpenSSH, only 9.9 and later "
        "can then connect, and few others.",
    )
    limits: SftpLimits = Field(default=SftpLimits(), description="What strangers and partners may take up.")
    defence: SftpDefence = Field(default=SftpDefence(), description="When addresses and logins are banned.")
    proxy_protocol_from: Networks = Field(
        default=(),
        description="Addresses of load balancers: their connections begin with a PROXY protocol v2 header, which says "
        "who connects. Nobody else may send one.",
    )
    temporary_names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(".*", "*.part", "*.tmp", "*.filepart"),
        description="Patterns (* and ?) of names under which an upload waits for its rename.",
    )
    share_port: bool = Field(
        default=False,
        description="Let further processes of this host listen on the same port, such as one for each core.",
    )
    plain_transport: bool = Field(
        default=False, description="Use paramiko's own packet loop: slower, for the case that the fast one misbehaves."
    )
