"""URLs of webhooks: no private address is ever called, whatever its name or spelling."""

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from partners.models import Partner
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver
from webhooks.models import WebhookAttempt, WebhookEndpoint
from webhooks.url_safety import AddressRefusedError, entry_check, target_of, url_check

PUBLIC = "93.184.216.34"


@pytest.fixture
def production(settings: Any) -> None:
    settings.LOANOFFICE_DEMO = False


def resolve(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names mean these addresses, one answer after another; returns what was asked."""
    asked: list[str] = []
    left = list(answers)

    real = socket.getaddrinfo

    def look_up(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        if host.replace(".", "").isdecimal():  # an address already: not looked up anywhere
            return real(host, port, *more, **named)
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:0a00:0001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "240.0.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "192.0.0.8",
        "::7f00:1",  # IPv4 in ::/96
        "::a00:1",
        "::ffff:0:a00:1",  # SIIT
        "64:ff9b::7f00:1",
        "64:ff9b:1:a00:1:0:808:808",  # a public address at the end, another one inside
        "64:ff9b:1::808:808",
        "2002:808:808::1",
        "2001:0:a00:1::f7f7:f7f7",
        "fec0::1",
        "fe80::1%eth0",
        "fe80::5efe:808:808",
        "ff0e::1",
        "100::1",
        "5f00::1",
        "3fff::1",
        "4000::1",
        "::ffff:0.0.0.0",
    ],
)
def test_name_that_means_a_private_address_is_refused(
    production: None, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolve(monkeypatch, [address])

    with pytest.raises(AddressRefusedError, match="not a public address"):
        target_of("https://hooks.example.com/")


@pytest.mark.parametrize(
    "address", [PUBLIC, "2606:2800:220:1::1", f"::ffff:{PUBLIC}", "64:ff9b::5db8:d822"]
)
def test_name_that_means_a_public_address_is_called(
    production: None, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolve(monkeypatch, [address])

    assert target_of("https://hooks.example.com/").address == str(ip_address(address))
    entry_check("https://hooks.example.com/")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.8.8"])
def test_http_is_for_loopback_in_the_demo_and_for_nothing_else(
    monkeypatch: pytest.MonkeyPatch, settings: Any, address: str
) -> None:
    resolve(monkeypatch, [address])
    assert target_of("http://hooks.example.com:8000/").port == 8000
    resolve(monkeypatch, [PUBLIC])
    for check in (target_of, entry_check):
        with pytest.raises(AddressRefusedError):
            check("http://hooks.example.com:8000/")
    resolve(monkeypatch, ["10.0.0.1"])
    for check in (target_of, entry_check):
        with pytest.raises(AddressRefusedError):
            check("https://hooks.example.com:8000/")


def test_one_private_address_among_public_ones_is_enough(
    production: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, [PUBLIC, "10.0.0.1"])

    with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.1"):
        target_of("https://hooks.example.com/")


def test_public_name_is_looked_up_once_and_its_address_is_what_is_called(
    production: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolve(monkeypatch, [PUBLIC], ["10.0.0.1"])

    target = target_of("https://hooks.example.com:8443/in?x=1")

    assert asked == ["hooks.example.com"]
    assert (target.address, target.port, target.path) == (PUBLIC, 8443, "/in?x=1")
    assert (target.host, target.host_header) == ("hooks.example.com", "hooks.example.com:8443")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost/",
        "https://127.1/",
        "https://localhost./",
        "https://0/",
        "https://0.0.0.0/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://[::]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::127.0.0.1]/",
    ],
)
def test_every_spelling_of_loopback_is_refused(production: None, url: str) -> None:
    with pytest.raises(AddressRefusedError):
        target_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "https://",
        "https:///x",
        "hooks.example.com",
        "https://user:word@hooks.example.com/",
        "https://h.example.com/#x",
        "https://h.example.com:22/",
        "https://h.example.com:99999/",
        "https://h.example.com/ x",
        "https://h.example.com/\r\nX: y",
        "https://exämple.com/",
        "https://h.example.com/\0",
        "https://h.example.com/" + "x" * 500,
        "javascript:alert(1)",
        "file:///etc/passwd",
        "",
        "https://[::1/",
        "https://h.example.com/\x7f",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://127.0.0.1%2f@hooks.example.com/",
        "https://h.example.com:0/",
        "https://h.example.com:-1/",
        "https://１２７.0.0.1/",  # noqa: RUF001
        "//h.example.com/",
    ],
)
def test_url_that_can_be_refused_at_once_is(production: None, url: str) -> None:
    with pytest.raises(AddressRefusedError):
        url_check(url)


@pytest.mark.django_db
def test_no_private_address_is_called_outside_of_the_demo(
    production: None,
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
) -> None:
    WebhookEndpoint.objects.update(url=receiver.url.replace("http://", "https://"))
    submit(partner)

    assert sweep_webhooks() == 0

    assert receiver.received == []
    assert "not a public address" in WebhookAttempt.objects.get().error


@pytest.fixture(autouse=True)
def _endpoints_are_made_as_in_the_demo(settings: Any, request: pytest.FixtureRequest) -> None:
    """``endpoint`` needs a loopback address; only then does the test turn it into production."""
    if "endpoint" in request.fixturenames:
        settings.LOANOFFICE_DEMO = True
        request.getfixturevalue("endpoint")
        settings.LOANOFFICE_DEMO = False
