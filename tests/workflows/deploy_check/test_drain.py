"""``manage.py drain``: what a deploy is told before it migrates, and what it never is."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests import spawned
from tests.http_server import LoopbackServer
from tests.workflows.deploy_check.draining import NAME, Pending, drain, pending
from workflows import engine
from workflows.deploy_check.check import drain_check
from workflows.deploy_check.migration_safety import OPAQUE, dangers_pending

__all__ = ["pending"]
pytestmark = pytest.mark.django_db

FUNCTION = "arn:aws:lambda:ca-central-1:123456789012:function:loan-approval"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DROP_PHONE = "migrations.RemoveField('loanapplication', 'phone')"
PHONE = "applications_loanapplication.phone"


class Listing:
    """Lambda's list of executions on loopback, in pages of three."""

    def __init__(self) -> None:
        self.executions: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.error: tuple[int, str] | None = None
        listing = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                split = urlsplit(self.path)
                query = parse_qs(split.query)
                listing.asked.append((split.path, query))
                status, error = listing.error or (200, "")
                content = json.dumps({} if error else listing.page(query)).encode()
                self.send_response(status)
                if error:
                    self.send_header("x-amzn-ErrorType", error)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = LoopbackServer(Handler)
        self.server.start()

    @property
    def url(self) -> str:
        return self.server.url

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        start = int(query.get("Marker", ["0"])[0])
        page: dict[str, Any] = {"DurableExecutions": self.executions[start : start + 3]}
        if start + 3 < len(self.executions):
            page["NextMarker"] = str(start + 3)
        return page

    def add(self, version: str, name: str, *, minutes: int = 0, status: str = "RUNNING") -> None:
        self.executions.append(
            {
                "DurableExecutionArn": f"{FUNCTION}:{version}/durable-execution/{name}/1",
                "DurableExecutionName": name,
                "FunctionArn": f"{FUNCTION}:{version}",
                "Status": status,
                "StartTimestamp": (NOON + timedelta(minutes=minutes)).timestamp(),
            }
        )


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listing]:
    serving = Listing()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", serving.url)
    engine.forget_client()
    yield serving
    serving.server.stop()
    engine.forget_client()


# --- What the engine says -----------------------------------------------------------------


def test_every_page_is_read_and_executions_are_counted_by_version(listing: Listing) -> None:
    for number in range(12):
        listing.add("9", f"LOAN-NINE{number:04}-1", minutes=number)
    listing.add("10", "LOAN-TENTENTE-1", minutes=20, status="PAUSED")
    listing.add("$LATEST", "LOAN-LATESTLA-1", minutes=30, status="PAUSING")

    found = drain_check()

    assert [(v.number, v.executions, v.unnamed) for v in found.versions] == [
        ("9", 12, 2),
        ("10", 1, 0),
        ("$LATEST", 1, 0),
    ]
    assert found.versions[0].oldest_start == NOON
    assert found.versions[0].names == [f"LOAN-NINE{number:04}-1" for number in range(10)]
    path, query = listing.asked[0]
    assert path == "/2025-12-01/functions/loan-approval/durable-executions"
    assert query["Statuses"] == ["RUNNING", "PAUSING", "PAUSED"]
    assert query["ReverseOrder"] == ["true"]
    assert "Qualifier" not in query, "one qualifier would hide the other versions"
    markers = [query.get("Marker") for _, query in listing.asked]
    assert markers == [None, ["3"], ["6"], ["9"], ["12"]]


def test_table_names_version_count_oldest_start_and_executions(listing: Listing) -> None:
    for number in range(11):
        listing.add("7", f"LOAN-SEVEN{number:03}-1", minutes=number)

    code, said = drain()

    assert code == 0
    lines = [line.split() for line in said.splitlines() if line.startswith("  ")]
    assert lines[0] == ["Version", "Executions", "Oldest", "start", "Names"]
    assert lines[1] == ["7", "11", "2026-11-24", "07:00", "LOAN-SEVEN000-1"]
    assert lines[-1] == ["and", "1", "more"]


# --- What the migrations say --------------------------------------------------------------

CHAR = "models.CharField(max_length={}, blank=True{})"
DANGEROUS: dict[str, tuple[str, str]] = {
    "field removed": (DROP_PHONE, f"The column {PHONE} is gone"),
    "model deleted": (
        "migrations.DeleteModel('Instalment')",
        "The table applications_instalment is gone",
    ),
    "field renamed": (
        "migrations.RenameField('loanapplication', 'phone', 'telephone')",
        f"The column {PHONE} is gone",
    ),
    "model renamed": (
        "migrations.RenameModel('Instalment', 'Payment')",
        "The table applications_instalment is gone",
    ),
    "table renamed": (
        "migrations.AlterModelTable('instalment', 'payments')",
        "The table applications_instalment is gone",
    ),
    "column renamed": (
        f"migrations.AlterField('loanapplication', 'phone', "
        f"{CHAR.format(40, ', db_column="telephone"')})",
        f"The column {PHONE} is gone",
    ),
    "made not null": (
        "migrations.AlterField('loanapplication', 'annual_income', "
        "models.DecimalField(max_digits=12, decimal_places=2, default=1))",
        "applications_loanapplication.annual_income is never empty afterwards",
    ),
    "made not null with a default in the database, which NULL by name passes by": (
        "migrations.AlterField('loanapplication', 'annual_income', "
        "models.DecimalField(max_digits=12, decimal_places=2, db_default=1))",
        "applications_loanapplication.annual_income is never empty afterwards",
    ),
    "made shorter": (
        f"migrations.AlterField('loanapplication', 'phone', {CHAR.format(20, '')})",
        f"The column {PHONE} holds 20 characters afterwards",
    ),
    "fewer digits": (
        "migrations.AlterField('loanapplication', 'loan_amount', "
        "models.DecimalField(max_digits=12, decimal_places=4))",
        "applications_loanapplication.loan_amount holds fewer digits",
    ),
    "fewer decimals": (
        "migrations.AlterField('loanapplication', 'loan_amount', "
        "models.DecimalField(max_digits=12, decimal_places=0))",
        "applications_loanapplication.loan_amount holds fewer digits",
    ),
    "other type": (
        "migrations.AlterField('loanapplication', 'term_months', models.CharField(max_length=3))",
        "applications_loanapplication.term_months becomes varchar",
    ),
    "new column to be filled": (
        "migrations.AddField('loanapplication', 'flag', models.BooleanField(default=False))",
        "applications_loanapplication.flag has to be filled",
    ),
    "new order column": (
        "migrations.AlterOrderWithRespectTo('document', 'application')",
        "applications_document._order has to be filled",
    ),
    "new column filled by the database no more": (
        "migrations.AddField('loanapplication', 'flag', models.BooleanField(db_default=False)),"
        "migrations.AlterField('loanapplication', 'flag', models.BooleanField(default=False))",
        "applications_loanapplication.flag has to be filled",
    ),
    "python": ("migrations.RunPython(lambda apps, editor: None)", OPAQUE),
    "sql": ("migrations.RunSQL('DELETE FROM applications_document')", OPAQUE),
    "operation of our own": ("Own()", OPAQUE),
    "database part": (
        f"migrations.SeparateDatabaseAndState(database_operations=[{DROP_PHONE}])",
        f"The column {PHONE} is gone",
    ),
    "sql in a database part": (
        "migrations.SeparateDatabaseAndState("
        f"database_operations=[migrations.RunSQL('DROP')], state_operations=[{DROP_PHONE}])",
        OPAQUE,
    ),
    "sql that says what it does": (
        f"migrations.RunSQL('DROP', state_operations=[{DROP_PHONE}])",
        f"The column {PHONE} is gone",
    ),
}


@pytest.mark.parametrize(("operations", "sentence"), DANGEROUS.values(), ids=DANGEROUS.keys())
def test_operation_that_older_code_cannot_live_with_is_named(
    pending: Pending,
    operations: str,
    sentence: str,
) -> None:
    name = pending(operations)

    found = dangers_pending()

    assert {danger.migration for danger in found} == {name}
    assert all(danger.operation for danger in found)
    assert any(sentence in danger.sentence for danger in found), found


HARMLESS: dict[str, str] = {
    "nothing": "",
    "help text": "migrations.AlterField('loanapplication', 'phone', "
    + CHAR.format(40, ", help_text='x'")
    + ")",
    "longer": f"migrations.AlterField('loanapplication', 'phone', {CHAR.format(80, '')})",
    "more digits": "migrations.AlterField('loanapplication', 'loan_amount', "
    "models.DecimalField(max_digits=14, decimal_places=2))",
    "made nullable": "migrations.AlterField('loanapplication', 'phone', "
    + CHAR.format(40, ", null=True")
    + ")",
    "field renamed that keeps its column": "migrations.AlterField('loanapplication', 'phone', "
    + CHAR.format(40, ", db_column='phone'")
    + "), migrations.RenameField('loanapplication', 'phone', 'telephone')",
    "model renamed that keeps its table": "migrations.AlterModelTable('instalment', "
    "'applications_instalment'), migrations.RenameModel('Instalment', 'Payment')",
    "new column that may be empty": "migrations.AddField('loanapplication', 'flag', "
    "models.BooleanField(null=True))",
    "new column filled by the database": "migrations.AddField('loanapplication', 'flag', "
    "models.BooleanField(db_default=False))",
    "new relation": "migrations.AddField('loanapplication', 'readers', "
    "models.ManyToManyField(settings.AUTH_USER_MODEL))",
    "table that no older code knows": "migrations.CreateModel('Note', "
    "[('id', models.BigAutoField(primary_key=True)), ('text', models.TextField())]), "
    "migrations.AddField('note', 'flag', models.BooleanField(default=False)), "
    "migrations.RemoveField('note', 'text'), migrations.DeleteModel('Note')",
    "column that no older code knows": "migrations.AddField('loanapplication', 'flag', "
    "models.BooleanField(null=True)), migrations.RemoveField('loanapplication', 'flag')",
    "state only": f"migrations.SeparateDatabaseAndState(state_operations=[{DROP_PHONE}])",
    "no python": "migrations.RunPython(migrations.RunPython.noop)",
    "no sql": "migrations.RunSQL(migrations.RunSQL.noop)",
    "index": "migrations.AddIndex('loanapplication', "
    "models.Index(fields=['phone'], name='by_phone'))",
}


@pytest.mark.parametrize("operations", HARMLESS.values(), ids=HARMLESS.keys())
def test_operation_that_older_code_lives_with_is_not_named(
    pending: Pending,
    operations: str,
) -> None:
    pending(operations)

    assert dangers_pending() == []


def test_code_of_its_own_passes_when_the_migration_says_that_it_is_safe(
    pending: Pending,
) -> None:
    own = "migrations.RunPython(lambda apps, editor: None), migrations.RunSQL('SELECT 1'), Own()"

    pending(own, more="old_code_safe = True")

    assert dangers_pending() == []


def test_mark_does_not_excuse_a_column_that_is_dropped(
    pending: Pending,
) -> None:
    pending(DROP_PHONE, more="old_code_safe = True")

    assert [danger.operation for danger in dangers_pending()] == [
        "Remove field phone from loanapplication"
    ]


@pytest.mark.both_databases
def test_applied_migration_is_not_pending(
    pending: Pending,
) -> None:
    pending(DROP_PHONE)
    MigrationRecorder(connection).record_applied("applications", NAME)

    assert dangers_pending() == []


def test_apps_whose_models_the_functions_do_not_read_are_left_alone(
    pending: Pending,
) -> None:
    pending("migrations.RemoveField('session', 'session_data')", app="django.contrib.sessions")
    assert dangers_pending() == []

    name = pending("migrations.RemoveField('user', 'is_staff')", app="django.contrib.auth")
    assert [danger.migration for danger in dangers_pending()] == [name]


@pytest.mark.both_databases
def test_empty_database_has_nothing_that_older_code_could_know(
    pending: Pending,
) -> None:
    pending(DROP_PHONE)
    MigrationRecorder(connection).migration_qs.all().delete()

    assert {danger.sentence for danger in dangers_pending()} == {OPAQUE}


# --- The verdict --------------------------------------------------------------------------


def test_nothing_unfinished_and_nothing_pending_is_clear(listing: Listing) -> None:
    code, said = drain()

    assert code == 0
    assert "No execution of loan-approval is unfinished." in said
    assert "No pending migration takes away" in said
    assert "Nothing is in the way" in said


def test_unfinished_executions_alone_are_clear(
    listing: Listing,
    pending: Pending,
) -> None:
    listing.add("1", "LOAN-AAAAAAAA-1")
    pending(HARMLESS["longer"])

    code, said = drain()

    assert code == 0
    assert "LOAN-AAAAAAAA-1" in said


def test_dangerous_migration_alone_is_clear_and_still_shown(
    listing: Listing,
    pending: Pending,
) -> None:
    name = pending(DROP_PHONE)

    code, said = drain()

    assert code == 0
    assert f"{name}: Remove field phone from loanapplication" in said


def test_both_together_are_refused_by_name(
    listing: Listing,
    pending: Pending,
) -> None:
    name = pending(DROP_PHONE)
    listing.add("1", "LOAN-AAAAAAAA-1")
    listing.add("2", "LOAN-BBBBBBBB-1", status="PAUSED")

    code, said = drain()

    assert code == 1
    assert "LOAN-AAAAAAAA-1" in said
    assert f"{name}: Remove field phone from loanapplication" in said
    assert f"The column {PHONE} is gone" in said
    assert f"Refused: 2 unfinished executions on version 1, 2 may still need what {name}" in said


@pytest.mark.parametrize(
    ("safe_from", "code"), [("2", 1), ("3", 1), ("1", 0)], ids=["second", "later", "first"]
)
def test_versions_that_do_without_it_are_not_in_the_way(
    listing: Listing,
    pending: Pending,
    safe_from: str,
    code: int,
) -> None:
    pending(DROP_PHONE)
    listing.add("1", "LOAN-AAAAAAAA-1")
    listing.add("2", "LOAN-BBBBBBBB-1")

    assert drain("--safe-from", safe_from)[0] == code


def test_unpublished_version_is_always_in_the_way(
    listing: Listing,
    pending: Pending,
) -> None:
    pending(DROP_PHONE)
    listing.add("$LATEST", "LOAN-AAAAAAAA-1")

    assert drain("--safe-from", "1")[0] == 1


def test_json_says_the_same_to_a_script(
    listing: Listing,
    pending: Pending,
) -> None:
    name = pending(DROP_PHONE)
    listing.add("3", "LOAN-AAAAAAAA-1")

    code, said = drain("--json")

    version = {
        "number": "3",
        "executions": 1,
        "oldest_start": "2026-11-24T12:00:00+00:00",
        "names": ["LOAN-AAAAAAAA-1"],
    }
    found = json.loads(said)
    assert code == 1
    assert found["refused"] is True
    assert found["versions"] == [version]
    assert found["in_the_way"] == [version]
    assert found["dangers"] == [
        {
            "migration": name,
            "operation": "Remove field phone from loanapplication",
            "sentence": f"The column {PHONE} is gone afterwards, and older code reads and "
            "writes it.",
        }
    ]


# --- Nobody to ask ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        (503, "ServiceException"),
        (429, "TooManyRequestsException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
    ],
)
def test_engine_that_does_not_answer_is_never_clear(
    listing: Listing, error: tuple[int, str]
) -> None:
    listing.error = error

    code, said = drain()

    assert code == 2
    assert "Not known, so not clear." in said
    assert error[1] in said


def test_engine_that_is_not_there_is_never_clear() -> None:
    engine.forget_client()
    code, said = drain("--json")

    assert code == 2
    assert "Could not connect" in json.loads(said)["error"]


def test_migrations_that_do_not_fit_together_are_never_clear(
    listing: Listing,
    pending: Pending,
) -> None:
    pending("", more='run_before = [("applications", "0000_unknown")]')

    code, said = drain()

    assert code == 2
    assert "NodeNotFoundError" in said


def run(listing: Listing, database_url: str) -> "subprocess.CompletedProcess[str]":
    return spawned.run(
        ["manage.py", "drain"],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.test",
            "DATABASE_URL": database_url,
            "AWS_ENDPOINT_URL_LAMBDA": listing.url,
        },
    )


def test_database_that_does_not_answer_is_never_clear(listing: Listing) -> None:
    ended = run(listing, "postgresql://nobody@127.0.0.1:9/nothing")

    assert ended.returncode == 2
    assert "Not known, so not clear. OperationalError" in ended.stderr
    assert listing.asked
