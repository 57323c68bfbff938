"""Payloads in S3, Google Cloud Storage or Azure, through obstore.

Credentials come from the environment (AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_KEY and
so on), never from the configuration. An object store acknowledges a write when it is durable, and shows objects whole
or not at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url

from reconciler.store.shelf import Lying

_TIMEOUT = timedelta(seconds=60)
PATIENCE = timedelta(seconds=20)


class ObjectShelf:
    """Payloads as objects below a URL such as `s3://bucket/prefix`.

    `spool` is a folder for what is being read; for `patience`, a request that failed is tried again.
    """

    def __init__(self, url: str, spool: Path, *, patience: timedelta = PATIENCE) -> None:
        self._spool = spool
        self._store = from_url(
            url,
            client_options={"timeout": _TIMEOUT, "allow_http": True},
            retry_config={"max_retries": 5, "retry_timeout": patience},
        )

    def keep(self, source: BinaryIO, name: str) -> None:
        """Upload a payload, whether or not it is there: its age begins anew. Raises OSError."""
        source.seek(0)
        with _as_os_errors():
            obstore.put(self._store, _key(name), source)

    def holds(self, name: str) -> bool:
        """Say whether the object is there. Raises OSError."""
        try:
            with _as_os_errors():
                obstore.head(self._store, _key(name))
        except FileNotFoundError:
            return False
        return True

    def open(self, name: str) -> BinaryIO:
        """Return a copy of the object that has no name and is gone when it is closed. Raises OSError."""
        file = TemporaryFile(dir=self._spool)  # noqa: SIM115 - the caller closes it
        try:
            with _as_os_errors():
                for chunk in obstore.get(self._store, _key(name)).stream(min_chunk_size=1 << 20):
                    file.write(chunk)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def drop(self, name: str) -> None:
        """Delete the object. Raises OSError."""
        with _as_os_errors():
            obstore.delete(self._store, _key(name))

    def lying(self) -> Iterator[Lying]:
        """Yield the objects. Raises OSError."""
        with _as_os_errors():
            for page in obstore.list(self._store):
                for found in page:
                    name = found["path"].replace("/", "")
                    yield Lying(name, found["size"], found["last_modified"])


def _key(name: str) -> str:
    return f"{name[:2]}/{name[2:]}"


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(str(error).splitlines()[0]) from error
    except BaseError as error:
        raise OSError(f"the object store refuses: {str(error).splitlines()[0]}") from error
