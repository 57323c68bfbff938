"""An SFTP session in a thread of its own, over paramiko's channel: the way to do without the faster one."""

import logging
from collections.abc import Callable
from contextlib import suppress

from paramiko import Channel

from reconciler.protocols.sftp.requests import MalformedError
from reconciler.protocols.sftp.session import Session
from reconciler.protocols.sftp.throttle import Throttles

_log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
"""Bytes that are taken from a client, and collected for it, at a time."""


def serve_channel(channel: Channel, session: Session, throttles: Throttles, is_cut: Callable[[], bool]) -> None:
    """Serve until the client ends the channel, or it is cut."""
    try:
        while data := channel.recv(_CHUNK):
            throttles.received(len(data))
            session.feed(data)
            answers = bytearray()
            for answer in session.answers():
                answers += answer
                if len(answers) >= _CHUNK:
                    _send(channel, answers, throttles)
                if is_cut():
                    return
            _send(channel, answers, throttles)
        if not channel.closed:
            # scp makes it its own exit status.
            channel.send_exit_status(0)
    except MalformedError as error:
        _log.info("a session ended: %s", error)
    except (OSError, EOFError) as error:
        # Requests handle what goes wrong in them: this is the client that is gone.
        _log.debug("a session ended: %s", error)
    except Exception:  # noqa: BLE001 - the last place that can tell an operator; the session is over
        _log.exception("a session ended")
    finally:
        session.abandon()
        with suppress(OSError, EOFError):
            channel.close()


def _send(channel: Channel, answers: bytearray, throttles: Throttles) -> None:
    channel.sendall(bytes(answers))
    throttles.sent(len(answers))
    answers.clear()
