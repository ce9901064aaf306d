"""Unsafe settings of production are named without their values."""

import pytest
from django.core.management.utils import get_random_secret_key

from loanoffice.settings.weaknesses import (
    host_weaknesses,
    is_loopback,
    mail_weaknesses,
    secret_key_weaknesses,
    token_weaknesses,
    url_weaknesses,
)


@pytest.mark.parametrize(
    "key",
    ["", "0123456789", "ab" * 40, "a" * 80, "django-insecure-" + "0aZ9bY8cX7" * 5, "changeme-" * 9],
)
def test_guessable_secret_key_is_named_without_its_value(key: str) -> None:
    (sentence,) = secret_key_weaknesses("SECRET_KEY", [key])
    assert sentence.startswith("SECRET_KEY ")
    assert not key or key not in sentence


def test_random_secret_keys_are_taken() -> None:
    assert secret_key_weaknesses("SECRET_KEY", [get_random_secret_key() for _ in range(50)]) == []


@pytest.mark.parametrize(
    ("hosts", "safe"),
    [(["loans.example.com"], True), ([".example.com"], True), (["a.example.com", "*"], False)],
)
def test_every_host_is_refused(hosts: list[str], safe: bool) -> None:
    assert (host_weaknesses(hosts) == []) is safe


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("", True),
        ("https://bureau.example.com/score", True),
        ("http://127.0.0.1:9000", True),
        ("http://[::1]:9000", True),
        ("http://localhost:9000", True),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("HTTP://bureau.example.com", False),
        ("bureau.example.com", False),
    ],
)
def test_url_elsewhere_needs_https(url: str, safe: bool) -> None:
    assert (url_weaknesses("BUREAU_URL", url) == []) is safe


def test_address_of_the_office_needs_https_anywhere() -> None:
    assert url_weaknesses("SITE_URL", "http://localhost:8000", loopback=False)


def test_provider_that_is_called_needs_a_token() -> None:
    assert token_weaknesses("T", "", "https://bureau.example.com") == [
        "T is empty, and its URL is set."
    ]
    assert token_weaknesses("T", "x", "https://bureau.example.com") == []
    assert token_weaknesses("T", "", "") == []


@pytest.mark.parametrize(
    ("host", "tls", "safe"),
    [("mail.example.com", True, True), ("mail.example.com", False, False), ("::1", False, True)],
)
def test_mail_elsewhere_needs_tls(host: str, tls: bool, safe: bool) -> None:
    assert (mail_weaknesses({"host": host, "use_tls": tls}) == []) is safe


def test_names_are_not_taken_for_loopback_addresses() -> None:
    assert [host for host in ("127.1.2.3", "::1", "localhost") if not is_loopback(host)] == []
    assert not is_loopback("127.0.0.1.example.com")
