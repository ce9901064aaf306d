"""Find what makes the settings of production unsafe, as sentences for whoever deploys. Pure.

``aws`` and ``production`` raise all of them at once. No sentence contains a secret.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

# What Django's own check of a deployment asks of a secret key (security.W009).
SHORTEST_KEY = 50
FEWEST_CHARACTERS = 5
GENERATED_FOR_DEVELOPMENT = "django-insecure-"


def secret_key_weaknesses(name: str, keys: Iterable[str]) -> list[str]:
    """Return why keys that sign sessions could be guessed."""
    found = []
    for key in keys:
        if len(key) < SHORTEST_KEY:
            found.append(f"{name} is shorter than {SHORTEST_KEY} characters.")
        elif len(set(key)) < FEWEST_CHARACTERS:
            found.append(f"{name} has fewer than {FEWEST_CHARACTERS} different characters.")
        elif key.startswith(GENERATED_FOR_DEVELOPMENT) or _repeats(key):
            found.append(f"{name} can be guessed: make a random one.")
    return found


def host_weaknesses(hosts: Iterable[str]) -> list[str]:
    """Return why ``ALLOWED_HOSTS`` would take a host that is not ours."""
    if any(host.strip() in {"*", "."} for host in hosts):
        return ["ALLOWED_HOSTS allows every host: name those of the office."]
    return []


def database_weaknesses(database: Mapping[str, Any]) -> list[str]:
    """Return why it is not PostgreSQL, over TLS when it is remote."""
    if database["ENGINE"] != "django.db.backends.postgresql":
        return ["DATABASE_URL has to name a PostgreSQL database."]
    mode = database["OPTIONS"]["sslmode"]
    if mode in {"disable", "allow", "prefer"} and not is_loopback(database["HOST"]):
        return [
            f"DATABASE_URL says sslmode={mode}, which may go unencrypted. Say require, "
            "verify-ca or verify-full."
        ]
    return []


def url_weaknesses(name: str, url: str, *, loopback: bool = True) -> list[str]:
    """Return why what is sent to this URL could be read on its way; ``""`` is no URL.

    With ``loopback`` a URL of this machine needs no TLS.
    """
    parts = urlsplit(url)
    if not url or parts.scheme == "https":
        return []
    if loopback and is_loopback(parts.hostname or ""):
        return []
    return [f"{name} is not https: personal data would travel unencrypted."]


def token_weaknesses(name: str, token: str, url: str) -> list[str]:
    """Return why a provider that is called could not tell us from anybody else."""
    return [f"{name} is empty, and its URL is set."] if url and not token else []


def mail_weaknesses(options: Mapping[str, Any]) -> list[str]:
    """Return why mails could be read on their way to the mail server."""
    if options["use_tls"] or is_loopback(options["host"]):
        return []
    return ["EMAIL_USE_TLS is false: mails and their password would travel unencrypted."]


def remote_weaknesses(*, urls: Mapping[str, str], hosts: Iterable[str]) -> list[str]:
    """Return which of these are not on this machine; ``""`` is nowhere, ``/path`` a socket's.

    Names that end with ``.localhost`` are this machine's for a browser (RFC 6761).
    """

    def is_here(host: str) -> bool:
        return host.startswith("/") or host.endswith(".localhost") or is_loopback(host)

    found = [
        f"{name} is not on this machine."
        for name, url in urls.items()
        if url and not is_here(urlsplit(url).hostname or "")
    ]
    found += [
        f"The host {host} is not this machine." for host in hosts if host and not is_here(host)
    ]
    return found


def is_loopback(host: str) -> bool:
    """Return true when the host is an address of this machine, or ``localhost``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _repeats(key: str) -> bool:
    """Return true for a short text that is written again and again: ``secretsecretsecret``."""
    return (key + key).find(key, 1) < len(key)
