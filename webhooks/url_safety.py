"""Check the URL of a webhook: https, to a public address, looked up once and pinned.

A partner names the host, so the host is not trusted (OWASP: Server-Side Request Forgery
Prevention). The name is resolved here, every address that it has is checked, and the one that
passed is the one that is called: a name that resolves to something else a moment later
("DNS rebinding") gains nothing.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

LONGEST_URL = 500
HTTPS_PORT = 443
LOWEST_PORT = 1024  # of the others: nothing of the system's own
# RFC 6052: an IPv4 address in the last 32 bits, reached through a translator. Not RFC 8215's
# prefix for local use: where its addresses lie is the translator's own affair.
NAT64 = IPv6Network("64:ff9b::/96")
# The global unicast space (IANA). Python's ``is_global`` includes more: IPv4 in
# ::/96, site-local addresses, and what was set apart after it was released.
UNICAST = IPv6Network("2000::/3")
DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637

type Address = IPv4Address | IPv6Address


class AddressRefusedError(ValueError):
    """The URL is not allowed; the text says why."""


class Target(NamedTuple):
    """A parsed URL, and the one address that is called for it."""

    is_secure: bool
    host: str
    port: int
    path: str
    address: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = HTTPS_PORT if self.is_secure else 80
        return host if self.port == usual else f"{host}:{self.port}"


def url_check(url: str) -> None:
    """Raise ``AddressRefusedError`` for a URL that can be refused without looking it up."""
    _parts(url)


def entry_check(url: str) -> None:
    """Check a URL at the moment of entering it. Raises ``AddressRefusedError``.

    A name that cannot be looked up, or that has a public address among others, may be entered:
    names change. ``target_of`` checks again, and in full, before anything is sent.
    """
    parts = _parts(url)
    is_secure = parts.scheme == "https"
    try:
        addresses = _addresses(parts.hostname or "", parts.port or HTTPS_PORT)
    except AddressRefusedError:
        addresses = []
    if any(_may_call(address, is_secure=is_secure) for address in addresses):
        return
    if not is_secure:
        raise AddressRefusedError("http:// is for this machine alone; use https://")
    if addresses:
        raise AddressRefusedError(
            f"{parts.hostname} leads to no public address ({addresses[0]}), and no other is called"
        )


def target_of(url: str) -> Target:
    """Look up the host and choose its address. Raises ``AddressRefusedError``."""
    parts = _parts(url)
    host = parts.hostname or ""
    port = parts.port or (HTTPS_PORT if parts.scheme == "https" else 80)
    addresses = _addresses(host, port)
    for address in addresses:
        if not _may_call(address, is_secure=parts.scheme == "https"):
            raise AddressRefusedError(f"{host} is not a public address ({address})")
    path = parts.path or "/"
    return Target(
        is_secure=parts.scheme == "https",
        host=host,
        port=port,
        path=f"{path}?{parts.query}" if parts.query else path,
        address=str(addresses[0]),
    )


def _parts(url: str) -> SplitResult:
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise AddressRefusedError(
            f"write it in at most {LONGEST_URL} ASCII characters without spaces"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefusedError(f"it is no URL: {error}") from error
    allowed = {"https", "http"} if settings.LOANOFFICE_DEMO else {"https"}
    if parts.scheme not in allowed:
        raise AddressRefusedError("it has to begin with https://")
    if not parts.hostname:
        raise AddressRefusedError("it names no host")
    if parts.username is not None or parts.password is not None:
        raise AddressRefusedError("leave name and password out of it")
    if parts.fragment:
        raise AddressRefusedError("leave the part after # out of it")
    if port is not None and port != HTTPS_PORT and port < LOWEST_PORT:
        raise AddressRefusedError(f"use port {HTTPS_PORT}, or one from {LOWEST_PORT}")
    return parts


def _addresses(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefusedError(f"{host} cannot be looked up: {error}") from error
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _may_call(address: Address, *, is_secure: bool) -> bool:
    """A public address; in the demo, over http or https, also this machine's own."""
    inner = _inside(address)
    if settings.LOANOFFICE_DEMO and inner.is_loopback:
        return True
    if isinstance(inner, IPv6Address) and (inner not in UNICAST or inner in DOCUMENTATION):
        return False
    return is_secure and inner.is_global and not inner.is_multicast


def _inside(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does.

    Those of tunnels (6to4, Teredo) stay as they are, which is not public.
    """
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address
