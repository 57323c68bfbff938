"""Where messages and MDNs may be posted."""

import pytest

from reconciler.protocols.as2.address import Target, same_origin, target
from reconciler.protocols.as2.ports import DeliveryError

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
        target(url, allow_private=False, resolve=resolve)
    assert not refused.value.retryable


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "224.0.0.1", "[64:ff9b::a9fe:a9fe]"])
def test_what_no_declaration_allows(host: str) -> None:
    with pytest.raises(DeliveryError, match="private"):
        target(f"http://{host}/", allow_private=True, resolve=lambda name, _port: [name])


def test_a_declaration_allows_private_addresses() -> None:
    found = target("http://10.0.0.7:4080/other", allow_private=True, resolve=resolve)
    assert found == Target(("http://10.0.0.7:4080/other",), "10.0.0.7:4080", "10.0.0.7", is_tls=False)


def test_the_connection_goes_to_the_addresses_that_were_checked() -> None:
    found = target("https://globex.example:8443/mdn?a=b", allow_private=False, resolve=resolve)
    urls = ("https://8.8.8.8:8443/mdn?a=b", "https://[2001:4860:4860::8888]:8443/mdn?a=b")
    assert found == Target(urls, "globex.example:8443", "globex.example", is_tls=True)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert same_origin("https://a.example/x", "https://a.example:443/y")
    assert not same_origin("http://a.example/x", "https://a.example/x")
    assert not same_origin("https://a.example:8443/", "https://a.example/")
    assert not same_origin("https://a.example:x/", "https://a.example/")
