"""`reconciler as2`: trying out AS2 without a partner."""

from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.protocols.as2.peer import new_key
from reconciler.protocols.as2.simulator import Behaviour, Simulator

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def as2() -> None:
    """Try out AS2 with a simulated partner."""


@as2.command()
@click.option("--id", "name", required=True, help="The partner's AS2 name: recipient.id of the integration.")
@click.option("--gateway-id", required=True, help="The gateway's AS2 name: self_id of the integration.")
@click.option("--gateway-certificate", type=_FILE, required=True, help="PEM; see: reconciler credentials show -o pem")
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), default=Path("partner.key"), show_default=True)
@click.option(
    "--certificate", type=click.Path(dir_okay=False, path_type=Path), default=Path("partner.pem"), show_default=True
)
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8090", show_default=True)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where received files are written.")
@click.option(
    "--behaviour",
    "behaviours",
    type=click.Choice([behaviour.value for behaviour in Behaviour]),
    multiple=True,
    help="What is done with a message; several are taken in turn. Default: confirm.",
)
@click.option("--delay", type=click.FloatRange(min=0), default=5.0, show_default=True, help="Seconds of late MDNs.")
def simulate(
    name: str,
    gateway_id: str,
    gateway_certificate: Path,
    key: Path,
    certificate: Path,
    listen: str,
    folder: Path | None,
    behaviours: tuple[str, ...],
    delay: float,
) -> None:
    """Be an AS2 partner that confirms messages, or treats them badly.

    The key pair is made when its files are not there; declare the certificate below recipient.certificates, and
    allow_private: true for a partner on the same machine.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise click.UsageError("--listen takes HOST:PORT")
    if not key.exists():
        private, public = new_key(name)
        key.touch(0o600)
        key.write_bytes(private)
        certificate.write_bytes(public)
        terminal.say(f"Made {key} and {certificate}.")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    simulator = Simulator(
        name=name,
        gateway=gateway_id,
        gateway_certificate=gateway_certificate.read_bytes(),
        key=key.read_bytes(),
        certificate=certificate.read_bytes(),
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


COMMANDS = {"as2": as2}
