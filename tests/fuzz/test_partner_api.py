"""Schemathesis against the running server: thousands of requests that the document suggests.

It sends what the document allows, what it forbids, and sequences of both, and holds each answer
against it: no 5xx, nothing undocumented, no valid request refused, no invalid one taken, no
credentials ignored, nothing of one partner shown to another. ``FUZZ_EXAMPLES`` sets how many
examples an operation gets in a phase, ``FUZZ_SEED`` which ones.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from partners.models import Partner
from partners.services.keys import partner_key_issue
from reviews.choices import TaskKind
from tests import casework
from tests.hard_cases.serving import WebProcess, served
from tests.sizes import LONG, size
from webhooks.models import WebhookEvent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

# At length 1,500 requests of a partner and more on each database, 3,000 in all.
EXAMPLES = size(short=4, long=150, variable="FUZZ_EXAMPLES")
SEED = size(short=1, long=1, variable="FUZZ_SEED")
# Not in the short run: "coverage", some 700 requests whatever the number of examples.
PHASES = "examples,coverage,fuzzing,stateful" if LONG else "examples,fuzzing,stateful"
LEAST = 10 * EXAMPLES  # requests of a partner
STATES = ("submit", "waiting_for_manager", "offered", "disbursing", "funded")
CONFIG = Path(__file__).with_name("schemathesis.toml")
RUN = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebProcess]:
    with served(tmp_path, monkeypatch) as process:
        yield process


@dataclass(frozen=True)
class Fuzzer:
    """Schemathesis, set up by ``schemathesis.toml``, against a server that has these cases."""

    server: WebProcess
    folder: Path

    def __call__(self, *options: str, references: list[str]) -> int:
        """Run schemathesis and return the number of requests; fails with its output."""
        config = self.folder / "schemathesis.toml"
        ids = list(WebhookEvent.objects.values_list("public_id", flat=True)[:5])
        config.write_text(
            f"{CONFIG.read_text()}\n[dictionaries.references]\nvalues={references}\n"
            f"[dictionaries.ids]\nvalues={ids}\n"
        )
        run = subprocess.run(
            [
                *(sys.executable, "-c", RUN, f"--config-file={config}", "run"),
                f"http://127.0.0.1:{self.server.port}/api/v1/schema/",
                *("--checks=all", f"--max-examples={EXAMPLES}", f"--seed={SEED}", *options),
                f"--phases={PHASES}",
            ],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{run.stdout}\n{run.stderr}\n{self.server_said()}"
        made = re.search(r"Test cases:\s+(\d+) generated", run.stdout)
        assert made is not None, run.stdout
        sys.stdout.write(run.stdout)
        return int(made[1])

    def server_said(self) -> str:
        lines = self.server.log.read_text().splitlines()
        return "\n".join(line for line in lines if '"ERROR"' in line or not line.startswith("{"))


@pytest.fixture
def fuzz(server: WebProcess, tmp_path: Path) -> Fuzzer:
    return Fuzzer(server, tmp_path)


def test_what_partners_send(
    fuzz: Fuzzer, partner: Partner, partner_key: str, tmp_path: Path
) -> None:
    cases = [getattr(casework, state)(None, partner=partner) for state in STATES]
    for _ in range(3):
        cases.append(casework.offered(None, partner=partner))
        casework.ask(cases[-1], TaskKind.OFFER_ACCEPTANCE)
    other = Partner.objects.create(name="Birch Brokers")
    keys = {"one": partner_key, "other": partner_key_issue(partner=other)[1]}
    identities = tmp_path / "identities.json"
    identities.write_text(
        json.dumps(
            {
                "auth": [
                    {
                        "name": name,
                        "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}],
                    }
                    for name, key in keys.items()
                ]
            }
        )
    )

    made = fuzz(
        f"--auth-wfc={identities}",
        "--auth-wfc-user=one",
        "--exclude-tag=staff",
        references=[case.reference for case in cases],
    )

    assert made >= LEAST


def test_what_staff_send(fuzz: Fuzzer, senior: User, partner: Partner) -> None:
    cases = [casework.waiting_for_manager(None, partner=partner) for _ in range(5)]
    browser = Client()
    browser.force_login(senior)
    token = "a" * 32  # the cookie and the header have to agree; that is all there is to it
    cookies = f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}; csrftoken={token}"

    made = fuzz(
        f"-HCookie: {cookies}",
        f"-HX-CSRFToken: {token}",
        # They are sent with every request, so none of them can be left out.
        "--generation-with-security-parameters=false",
        "--include-tag=staff",
        references=[case.reference for case in cases],
    )

    assert made >= EXAMPLES
