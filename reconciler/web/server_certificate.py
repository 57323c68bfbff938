"""The certificates with which the HTTP listener speaks TLS: in files that may change while it serves."""

import logging
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from reconciler.errors import ReconcilerError
from reconciler.jobs.expiry import step_before

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate with its chain, and its key, both PEM; it is shown from `active_from` on, if that is given."""

    certificate: Path
    key: Path
    active_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A pair of files as it was read; `state` tells whether the files are others now."""

    state: object
    context: ssl.SSLContext
    starts: datetime
    ends: datetime


class ServerCertificates:
    """Shows each new connection the certificate that is due: of those that are valid, the one that began last.

    So the next one can lie ready beside the present one, or take its place in the same files. Raises ReconcilerError
    when a pair cannot be read at the start; later on what was read last stays in use, and the log says why.
    """

    def __init__(self, files: Sequence[CertificateFiles]) -> None:
        self._files = files
        self._loaded = {each: _load(each) for each in files}
        self._shown = self._due(datetime.now(UTC))
        self._told: tuple[datetime, int] | None = None
        self._blank = _context()
        # Called for every handshake, with a name or without: what is shown is decided then.
        self._blank.sni_callback = self._show

    @property
    def context(self) -> ssl.SSLContext:
        """What a listener is given, once and for all."""
        return self._blank

    @property
    def ends(self) -> datetime:
        """When the certificate that is shown now ends."""
        return self._shown.ends

    def refresh(self, now: datetime) -> None:
        """Take up what the files hold and what is due now. Costs little; to be called every second or so."""
        for each in self._files:
            try:
                if _state(each) != self._loaded[each].state:
                    self._loaded[each] = _load(each)
                    _log.info("the TLS certificate in %s was read again", each.certificate)
            except (OSError, ReconcilerError) as error:
                _log.warning("the TLS certificate that was read last stays in use: %s", error)
        self._shown = self._due(now)
        self._warn(now)

    def _warn(self, now: datetime) -> None:
        step = step_before(self._shown.ends, now)
        if step is not None and (self._shown.ends, step) != self._told:
            self._told = self._shown.ends, step
            _log.warning("the TLS certificate of the HTTP listener ends on %s", f"{self._shown.ends:%Y-%m-%d %H:%M}")

    def _due(self, now: datetime) -> _Loaded:
        usable = [each for each in self._loaded.values() if each.starts <= now <= each.ends]
        # An expired certificate is better than none: the partner's side says what is wrong.
        return max(usable or self._loaded.values(), key=lambda each: (each.starts, each.ends))

    def _show(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._shown.context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load(files: CertificateFiles) -> _Loaded:
    """Read a pair of files. Raises ReconcilerError, which names the files and what is wrong."""
    try:
        state = _state(files)
        context = _context()
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
        first = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError whose text says little: the pair may not match, or the key may be encrypted.
        reason = "they are no matching pair in PEM, or the key is encrypted"
        if not isinstance(error, ssl.SSLError | ValueError):
            reason = os.strerror(error.errno) if error.errno else str(error)
        raise ReconcilerError(
            f"The TLS certificate {files.certificate} with the key {files.key} cannot be used: {reason}."
        ) from error
    starts = max(first.not_valid_before_utc, files.active_from or first.not_valid_before_utc)
    return _Loaded(state, context, starts, first.not_valid_after_utc)


def _state(files: CertificateFiles) -> object:
    found = [os.stat(path) for path in (files.certificate, files.key)]  # noqa: PTH116 - the test of a changed file
    return [(each.st_mtime_ns, each.st_size, each.st_ino) for each in found]
