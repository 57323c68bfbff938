"""What may be done in which folder. Downloads and removals are allowed in all of them."""

from reconciler.errors import Refusal, RefusedError

UPLOAD = ("outbox", "coutbox")
"""Where a partner's files come in; what is in the other folders, the gateway put there."""

RETRY = (("error", "coutbox"), ("error", "cinbox"))
"""Moves that run a file again: as a partner's file, or as a converted file that is sent once more."""


def require_upload(folder: str) -> None:
    """Raise RefusedError unless files may be written into `folder`."""
    if folder not in UPLOAD:
        raise RefusedError(
            Refusal.PERMISSION_DENIED, f"nothing is uploaded into {folder}; upload into {' or '.join(UPLOAD)}"
        )


def require_move(source: str, target: str) -> None:
    """Raise RefusedError unless a file may be moved from folder `source` to folder `target`."""
    if not (source == target and source in UPLOAD) and (source, target) not in RETRY:
        raise RefusedError(
            Refusal.PERMISSION_DENIED,
            f"no file is moved from {source} to {target}; files are renamed within {' and '.join(UPLOAD)}, "
            "and moved from error to coutbox or cinbox to run them again",
        )
