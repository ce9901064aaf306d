"""``manage.py drain``: what a deploy is told before it migrates, and what it never is."""

import json
import os
import subprocess

import pytest

from tests import spawned
from tests.workflows.deploy_check.draining import Pending, drain
from tests.workflows.deploy_check.listing import NOON, Listing
from tests.workflows.deploy_check.pending_operations import DROP_PHONE, HARMLESS, PHONE
from workflows import engine
from workflows.deploy_check.check import drain_check

pytestmark = pytest.mark.django_db


# --- What the engine says ------------------------------------------------------------------


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


# --- The verdict ---------------------------------------------------------------------------


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


# --- Nobody to ask -------------------------------------------------------------------------


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
