"""Hard case 14: the database is down while the function resumes.

Steps are tried again within a bounded budget, then an incident says so; a payout that was
made is never made again. The engine, in a process of its own, reaches the real PostgreSQL
through a proxy that the test shuts.
"""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from applications.models import Disbursement, LoanApplication
from devtools.loopback_server import LoopbackServer
from tests.functions.engine_process import EngineProcess, database_url
from tests.functions.office import Office, assert_funded_once, deliver_what_waits
from tests.hard_cases.database_proxy import DatabaseProxy
from tests.waiting import eventually
from workflows import engine
from workflows.models import Execution, Incident, SimulatedPayout
from workflows.operations import application_restart
from workflows.reconcile.compare import reconcile

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres_only,
    pytest.mark.both_databases,
]


@pytest.fixture(autouse=True)
def _needs_postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("a SQLite file cannot be down for one process alone")


@pytest.fixture
def proxy(transactional_db: None) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(database_url())
    yield proxy
    proxy.shut()


class Rail:
    """A payout rail over HTTP that books each key once and counts how often it was asked."""

    def __init__(self) -> None:
        self.books: dict[str, str] = {}
        self.payments = 0
        self.paying: Callable[[], None] = lambda: None  # after the booking, before the answer
        rail = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                key = self.path.rpartition("/")[2]
                if key in rail.books:
                    self._answer(200, {"id": rail.books[key], "status": "settled"})
                else:
                    self._answer(404, {"status": "not_found"})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                rail.payments += 1
                rail.books.setdefault(key, f"RAIL-{len(rail.books) + 1}")
                rail.paying()
                self._answer(201, {"id": rail.books[key], "status": "settled"})

            def _answer(self, status: int, body: object) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = LoopbackServer(Handler)
        self.url = self.server.url
        self.server.start()


@pytest.fixture
def rail() -> Iterator[Rail]:
    serving = Rail()
    yield serving
    serving.server.stop()


def waits_for_manager(office: Office) -> str:
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    return reference


def test_short_outage_is_outlived(
    running: Callable[..., EngineProcess], proxy: DatabaseProxy, office: Office, manager: User
) -> None:
    process = running(DATABASE_URL=proxy.url)
    reference = waits_for_manager(office)
    proxy.shut()
    office.decide(reference, manager, approved=True)
    deliver_what_waits()
    arn = str(Execution.objects.get().arn)
    # It has resumed and found no database: the failed try is in its history.
    eventually(lambda: any(e["EventType"] == "StepFailed" for e in engine.history(arn=arn)))
    proxy.open()
    office.until(reference, status="funded")
    assert_funded_once(reference)
    assert not Incident.objects.exists()
    assert "OperationalError" in process.log.read_text()


def test_outage_beyond_the_budget_is_an_incident_and_the_restart_pays_once(
    running: Callable[..., EngineProcess],
    proxy: DatabaseProxy,
    office: Office,
    manager: User,
    operations: User,
) -> None:
    running(DATABASE_URL=proxy.url, LOANOFFICE_STEP_ATTEMPTS="2")
    reference = waits_for_manager(office)
    proxy.shut()
    office.decide(reference, manager, approved=True)
    deliver_what_waits()
    arn = str(Execution.objects.get().arn)
    eventually(lambda: engine.get(arn=arn)["Status"] == "FAILED", seconds=60)
    proxy.open()
    # Nobody could write it down: the reconciler finds out.
    assert LoanApplication.objects.get().status == "in_review"
    assert [found.what for found in reconcile(calls_per_second=1000).findings] == ["missed end"]
    assert LoanApplication.objects.get().status == "needs_attention"
    incident = Incident.objects.get()
    assert incident.kind == "workflow_failed"
    assert "The workflow failed: StepError: connection failed" in incident.sentence

    application_restart(reference=reference, user=operations)
    office.until(reference, status="pending_approval")
    office.decide(reference, manager, approved=True)
    office.until(reference, status="funded")
    assert SimulatedPayout.objects.count() == 1


@pytest.mark.parametrize("attempts", ["6", "2"])
def test_payout_that_was_made_while_the_database_went_down_is_never_made_again(
    running: Callable[..., EngineProcess],
    proxy: DatabaseProxy,
    rail: Rail,
    office: Office,
    operations: User,
    attempts: str,
    settings: Any,
) -> None:
    settings.LOANOFFICE_PROVIDERS = {
        **settings.LOANOFFICE_PROVIDERS,
        "payout": {"url": rail.url, "token": "t"},
    }
    running(
        DATABASE_URL=proxy.url,
        LOANOFFICE_STEP_ATTEMPTS=attempts,
        PAYOUT_RAIL_URL=rail.url,
        PAYOUT_RAIL_TOKEN="t",
    )
    rail.paying = proxy.shut
    reference = office.submit("charlie")
    eventually(lambda: rail.payments == 1, seconds=60)
    arn = str(Execution.objects.get().arn)
    assert Disbursement.objects.get().status == "requested"
    if attempts == "6":
        eventually(lambda: any(e["EventType"] == "StepFailed" for e in engine.history(arn=arn)))
        proxy.open()
    else:
        eventually(lambda: engine.get(arn=arn)["Status"] == "FAILED", seconds=60)
        proxy.open()
        reconcile(calls_per_second=1000)
        office.until(reference, status="needs_attention")
        application_restart(reference=reference, user=operations)
    office.until(reference, status="funded")
    ledger = Disbursement.objects.get()
    assert (ledger.status, ledger.rail_reference) == ("paid", "RAIL-1")
    assert rail.payments == 1
    assert rail.books == {f"payout-{reference}": "RAIL-1"}


def test_proxy_is_really_shut(proxy: DatabaseProxy) -> None:
    import psycopg  # noqa: PLC0415 - PostgreSQL only

    url = proxy.url
    with psycopg.connect(url) as through:
        assert through.execute("SELECT 1").fetchone() == (1,)
        proxy.shut()
        with pytest.raises(psycopg.OperationalError):
            through.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
