"""Where an asynchronous MDN may be posted."""

import pytest

from reconciler.protocols.as2.mdn_delivery import Target, target
from reconciler.protocols.as2.ports import DeliveryError

DECLARED = "http://10.0.0.7:4080/as2"
NAMES = {"globex.example": ["8.8.8.8", "2001:4860:4860::8888"], "rebound.example": ["8.8.8.8", "127.0.0.1"]}


def resolve(host: str, _port: int) -> list[str]:
    return NAMES.get(host, [host])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/mdn",
        "http://[::1]/mdn",
        "http://[::ffff:127.0.0.1]/mdn",
        "http://169.254.169.254/latest/meta-data",
        "https://192.168.1.1/",
        "http://10.0.0.7:22/",
        "http://0.0.0.0/",
        "https://rebound.example/mdn",
        "ftp://8.8.8.8/",
        "http://user@8.8.8.8/",
        "http://8.8.8.8:x/",
        "http:///mdn",
        "nonsense",
    ],
)
def test_it_is_not_led_into_the_own_network(url: str) -> None:
    with pytest.raises(DeliveryError) as refused:
        target(url, declared=DECLARED, resolve=resolve)
    assert not refused.value.retryable


def test_the_declared_host_and_port_are_allowed_as_they_are() -> None:
    url = "http://10.0.0.7:4080/other"
    assert target(url, declared=DECLARED, resolve=resolve) == Target(url, "10.0.0.7:4080", "10.0.0.7")


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    found = target("https://globex.example:8443/mdn?a=b", declared=DECLARED, resolve=resolve)
    assert found == Target("https://8.8.8.8:8443/mdn?a=b", "globex.example:8443", "globex.example")
    found = target("https://[2001:4860:4860::8888]/mdn", declared=DECLARED, resolve=resolve)
    assert (found.url, found.host_name) == ("https://[2001:4860:4860::8888]/mdn", "2001:4860:4860::8888")
