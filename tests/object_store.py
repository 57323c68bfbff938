"""An S3 server of the tests' own, on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def running_s3(bucket: str = "payloads") -> Iterator[str]:
    """Yield the URL of an empty bucket; the environment says how it is reached."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as environment:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }.items():
            environment.setenv(name, value)
        try:
            httpx.put(f"{endpoint}/{bucket}", trust_env=False, timeout=60).raise_for_status()
            yield f"s3://{bucket}/some/prefix"
        finally:
            server.stop()
