"""The settings of the demo on emulated AWS start on this machine alone."""

import pytest

from loanoffice.settings.weaknesses import remote_weaknesses
from tests.aws.production import COMPLETE, run

HERE = COMPLETE | {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
    "ALLOWED_HOSTS": "loans.localhost",
    "SITE_URL": "https://loans.localhost:8443",
    "STATIC_DOMAIN": "loans.localhost:8443/static",
    "DATABASE_URL": "postgresql://app:secret@/demo?host=/run/postgresql",
    "EMAIL_HOST": "127.0.0.1",
}
ELSEWHERE = {
    "AWS_ENDPOINT_URL": "https://lambda.ca-central-1.amazonaws.com",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "ALLOWED_HOSTS": "loans.localhost,loans.example.com",
    "SITE_URL": "https://loans.example.com",
    "STATIC_DOMAIN": "cdn.example.com",
    "DATABASE_URL": "postgresql://app:secret@/demo?host=database.example.com",
    "PAYOUT_RAIL_URL": "https://rail.example.com",
}
SHOW = """
import django; django.setup()
from django.conf import settings as s
print(s.LOANOFFICE_DEMO, s.LOANOFFICE_SECOND_FACTOR_REQUIRED, s.SECURE_SSL_REDIRECT, s.DEBUG)
"""


def start(**environment: str) -> tuple[str, str]:
    found = run("loanoffice.settings.demo_aws", "-c", SHOW, **environment)
    return found.stdout.strip(), found.stderr.strip().rpartition("\n")[2]


def test_demo_on_emulated_aws_starts_where_everything_is_this_machine() -> None:
    assert start(**HERE) == ("True False True False", "")


def test_demo_on_emulated_aws_names_everything_that_is_elsewhere() -> None:
    said, why = start(**HERE | ELSEWHERE | {"PAYOUT_RAIL_TOKEN": "token"})
    assert said == ""
    assert "The demo on emulated AWS does not start." in why
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "SITE_URL", "STATIC_DOMAIN", "payout"):
        assert f"{name} is not on this machine." in why
    for host in ("loans.example.com", "database.example.com"):
        assert f"The host {host} is not this machine." in why


def test_demo_on_emulated_aws_refuses_the_real_one() -> None:
    """Without an endpoint boto3 asks AWS."""
    real = {name: value for name, value in HERE.items() if name != "AWS_ENDPOINT_URL"}
    assert "AWS_ENDPOINT_URL is not on this machine." in start(**real)[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "a.localhost", "/run/x", ""])
def test_hosts_of_this_machine(host: str) -> None:
    assert remote_weaknesses(urls={}, hosts=[host]) == []


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "localhost.example.com", "xlocalhost"])  # noqa: S104
def test_hosts_of_other_machines(host: str) -> None:
    url = f"http://{host}/"
    assert len(remote_weaknesses(urls={"One": url}, hosts=[host])) == 2
