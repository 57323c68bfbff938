"""What an MDN says about a message (RFC 4130 section 7.5), and the errors that carry it."""

from enum import StrEnum

from reconciler.errors import ReconcilerError


class Disposition(StrEnum):
    """The disposition type with its modifier, as the report writes it."""

    PROCESSED = "processed"
    AUTHENTICATION_FAILED = "processed/error: authentication-failed"
    DECOMPRESSION_FAILED = "processed/error: decompression-failed"
    DECRYPTION_FAILED = "processed/error: decryption-failed"
    INSUFFICIENT_SECURITY = "processed/error: insufficient-message-security"
    UNEXPECTED = "processed/error: unexpected-processing-error"
    UNKNOWN_PARTNER = "processed/error: unknown-trading-partner"
    UNSUPPORTED_FORMAT = "failed/failure: unsupported format"
    UNSUPPORTED_MIC = "failed/failure: unsupported MIC-algorithms"


class RefusedMessageError(ReconcilerError):
    """A message is not accepted; the disposition goes into the MDN, the message into the log and the MDN's text."""

    def __init__(self, disposition: Disposition, message: str) -> None:
        self.disposition = disposition
        super().__init__(message)
