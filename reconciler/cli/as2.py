"""`reconciler as2`: trying out AS2 without a partner."""

import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import click

from reconciler.cli import terminal
from reconciler.protocols.as2.peer import new_key
from reconciler.protocols.as2.ports import MdnOutcome, Post
from reconciler.protocols.as2.sender import Sender
from reconciler.protocols.as2.simulator import Behaviour, Simulator, aimed_at, simulated_partner

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Identity:
    """Who is simulated, towards which gateway; the key pair is made when its files are not there."""

    name: str
    gateway: str
    gateway_certificate: bytes
    key: bytes
    certificate: bytes


@click.group()
def as2() -> None:
    """Try out AS2 with a simulated partner."""


def _of_a_partner(command: _Command) -> _Command:
    """Give a command the options that say who is simulated."""
    for option in reversed(
        (
            click.option(
                "--id", "name", required=True, help="The partner's AS2 name: recipient.id of the integration."
            ),
            click.option("--gateway-id", required=True, help="The gateway's AS2 name: self_id of the integration."),
            click.option(
                "--gateway-certificate", type=_FILE, required=True, help="PEM; see: reconciler credentials show -o pem"
            ),
            click.option(
                "--key", type=_NEW_FILE, default=Path("partner.key"), show_default=True, help="The partner's key, PEM."
            ),
            click.option(
                "--certificate", type=_NEW_FILE, default=Path("partner.pem"), show_default=True, help="Its certificate."
            ),
        )
    ):
        command = option(command)
    return command


def _identity(name: str, gateway_id: str, gateway_certificate: Path, key: Path, certificate: Path) -> _Identity:
    if not key.exists():
        private, public = new_key(name)
        key.touch(0o600)
        key.write_bytes(private)
        certificate.write_bytes(public)
        terminal.say(f"Made {key} and {certificate}.")
    return _Identity(name, gateway_id, gateway_certificate.read_bytes(), key.read_bytes(), certificate.read_bytes())


@as2.command()
@_of_a_partner
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:8090", show_default=True, help="Where messages are taken."
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where received files are written.")
@click.option(
    "--behaviour",
    "behaviours",
    type=click.Choice([behaviour.value for behaviour in Behaviour]),
    multiple=True,
    help="What is done with a message; several are taken in turn. Default: confirm.",
)
@click.option("--delay", type=click.FloatRange(min=0), default=5.0, show_default=True, help="Seconds of late MDNs.")
def simulate(listen: str, folder: Path | None, behaviours: tuple[str, ...], delay: float, **who: Any) -> None:  # noqa: ANN401 - the options of _identity
    """Be an AS2 partner that confirms messages, or treats them badly.

    The key pair is made when its files are not there; declare the certificate below recipient.certificates, and
    allow_private: true for a partner on the same machine.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise click.UsageError("--listen takes HOST:PORT")
    identity = _identity(**who)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    simulator = Simulator(
        name=identity.name,
        gateway=identity.gateway,
        gateway_certificate=identity.gateway_certificate,
        key=identity.key,
        certificate=identity.certificate,
        behaviours=[Behaviour(each) for each in behaviours] or [Behaviour.CONFIRM],
        folder=folder,
        delay=delay,
        listen=(host.strip("[]"), int(port)),
        tell=terminal.write,
    )
    simulator.start()
    terminal.write(f"Listening: {simulator.url}")
    try:
        simulator.wait()
    except KeyboardInterrupt:
        terminal.say("Ended.")
    finally:
        simulator.stop()


@as2.command()
@click.argument("file", type=_FILE)
@_of_a_partner
@click.option("--to", "url", metavar="URL", required=True, help="Where the gateway listens, such as http://…/as2.")
@click.option("--content-type", help="Default: what the file's name says.")
@click.option("--message-id", help="Default: a new one. The same one again makes a copy of that message.")
def send(file: Path, url: str, content_type: str | None, message_id: str | None, **who: Any) -> int:  # noqa: ANN401 - the options of _identity
    """Send FILE to the gateway as a partner would.

    It is signed and encrypted, and the MDN is judged. Exits with 1 unless the MDN is signed by the gateway and confirms
    the file.
    """
    identity = _identity(**who)
    partner = simulated_partner(
        identity.name, identity.key, identity.certificate, identity.gateway, identity.gateway_certificate
    )
    post = Post(
        message_id=message_id or f"{uuid4()}@simulated",
        payload=file.read_bytes(),
        file_name=file.name,
        content_type=content_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream",
    )
    sender = Sender(lambda _: identity.gateway_certificate)
    try:
        sent = sender.post(aimed_at(partner, url), post)
    finally:
        sender.close()
    verdict = sent.mdn
    if verdict is None:
        raise AssertionError("a simulated partner asks for an MDN in the answer")
    terminal.write(
        terminal.listing(
            [
                ("message", post.message_id),
                ("outcome", verdict.outcome),
                ("reason", verdict.reason),
                ("disposition", verdict.disposition or "(none)"),
                ("HTTP", str(sent.wire.status)),
            ]
        )
    )
    return 0 if verdict.outcome is MdnOutcome.CONFIRMED else 1


COMMANDS = {"as2": as2}
