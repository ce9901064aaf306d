"""The login that owns nothing: what it may do, that the product works with it, and that it is asked
for. PostgreSQL only."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, ProgrammingError, connection, transaction

from accounts.roles import Role
from applications.models import LoanApplication
from audit import database_login, seal_verification, sealing
from audit.database_login import Login, LoginRefused, login_apply, login_faults, privileges
from audit.models import Action, AuditEntry
from audit.sealed_tables import REGISTERED
from audit.services import entry_record
from devtools.postgresql import as_login
from lending.choices import Outcome
from lending.models import LendingPolicy
from reviews.services import decisions
from tests import casework
from workflows import sweep

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.postgres_only,
    pytest.mark.django_db,
]

NAME = "test_login_of_the_product"
PASSWORD = "a password"


@pytest.fixture(autouse=True)
def _postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no logins")


@pytest.fixture
def login() -> str:
    """The login, in a transaction that is rolled back."""
    login_apply(Login(NAME, PASSWORD))
    return NAME


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Statements in here are run with the privileges of this login."""
    with connection.cursor() as cursor:
        cursor.execute(f'SET LOCAL ROLE "{name}"')
        yield
        cursor.execute("RESET ROLE")


def held(name: str) -> dict[str, set[str]]:
    """The privileges of a login by table, columns in brackets."""
    found: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, privilege_type FROM information_schema.role_table_grants "
            "WHERE grantee = %s",
            [name],
        )
        for table, privilege in cursor.fetchall():
            found.setdefault(table, set()).add(privilege)
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.column_privileges "
            "WHERE grantee = %s AND privilege_type = 'UPDATE'",
            [name],
        )
        for table, column in cursor.fetchall():
            if "UPDATE" not in found[table]:
                found[table].add(f"UPDATE ({column})")
    return found


def test_login_may_do_exactly_what_is_needed(login: str) -> None:
    found = held(login)

    added = {"SELECT", "INSERT"}
    for table in ("audit_seal", "audit_sealverification"):
        assert found[table] == added
    for name, table in REGISTERED.items():
        if not table.closed_by:
            assert found[name] == added | {f"UPDATE ({column})" for column in table.may_change}
    assert found["lending_lendingpolicy"] == added | {"UPDATE"}
    assert found["django_migrations"] == {"SELECT"}
    assert found["applications_loanapplication"] == added | {"UPDATE", "DELETE"}
    assert found.keys() == privileges().keys()
    assert not {"TRUNCATE", "TRIGGER", "REFERENCES"} & set().union(*found.values())
    assert login_faults(connection, login) == []


def test_doing_it_again_takes_away_what_is_too_much(login: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT ALL ON audit_auditentry, audit_seal TO {login}")
        cursor.execute(f"GRANT UPDATE (amount) ON applications_disbursement TO {login}")
        cursor.execute(f"GRANT CREATE ON SCHEMA public TO {login}")
    assert login_faults(connection, login) == [
        "it may create tables, also temporary ones",
        "it may TRUNCATE tables or make triggers",
    ]
    before = privileges()

    said = login_apply(Login(login, "another password"))

    assert said == f"{login} is there; its password and its privileges are set."
    assert {"SELECT", "INSERT"} == held(login)["audit_auditentry"]
    assert "UPDATE (amount)" not in held(login)["applications_disbursement"]
    assert privileges() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditentry SET message = 'x'",
        "DELETE FROM applications_applicationevent",
        "UPDATE applications_disbursement SET amount = 1",
        "DELETE FROM lending_lendingpolicy",
        "DELETE FROM audit_seal",
        "TRUNCATE audit_auditentry",
        "ALTER TABLE audit_auditentry DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_auditentry_no_update ON audit_auditentry",
        "SET session_replication_role = replica",
        "CREATE TABLE mine (id integer)",
        "CREATE TEMPORARY TABLE audit_auditentry (id integer)",
        "CREATE OR REPLACE FUNCTION loanoffice_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NEW; END'",
        "DELETE FROM django_migrations",
    ],
)
def test_login_is_refused_what_would_change_what_is_kept(login: str, statement: str) -> None:
    with (
        pytest.raises((ProgrammingError, DatabaseError), match=r"permission denied|must be owner"),
        transaction.atomic(),
        acting_as(login),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_product_works_with_the_login(
    login: str, officer: User, manager: User, settings: Any
) -> None:
    with acting_as(login):
        application = casework.funded(officer)
        task = casework.waiting_for_manager(officer).review_tasks.get()
        decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
        draft = LendingPolicy.objects.create(version=2)
        tier = draft.tiers.create(tier="prime", minimum_score=1, annual_rate=1, largest_amount=1)
        tier.delete()
        LendingPolicy.objects.select_for_update().get(pk=draft.pk)
        manager.groups.set(Group.objects.filter(name=Role.MANAGER.value))
        sweep.sweep()
        sealing.seals_make()
        assert seal_verification.seals_verify().finding == ""
    assert LoanApplication.objects.get(pk=application.pk).status == "funded"
    assert AuditEntry.objects.filter(action=Action.DECIDED).exists()


@pytest.mark.parametrize(
    ("make_it", "fault"),
    [
        ("ALTER ROLE {} SUPERUSER", "it is a superuser"),
        ("ALTER ROLE {} CREATEROLE", "it may create roles"),
        ("ALTER TABLE audit_auditentry OWNER TO {}", "it owns tables"),
        ('GRANT "{owner}" TO {}', "it owns tables, or may become their owner"),
    ],
)
def test_login_that_could_change_what_is_kept_is_not_made(
    login: str, make_it: str, fault: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(make_it.format(login, owner=connection.settings_dict["USER"]))
    with pytest.raises(LoginRefused, match=fault):
        login_apply(Login(login, PASSWORD))


def test_command_makes_the_login_that_the_url_names(settings: Any) -> None:
    settings.LOANOFFICE_APP_DATABASE_URL = f"postgresql://{NAME}:{PASSWORD}@example.com/x"
    out = StringIO()
    for said in ("is made, with its privileges.", "is there; its password and its privileges"):
        call_command("database_login", stdout=out)
        assert f"{NAME} {said}" in out.getvalue()
    assert PASSWORD not in out.getvalue()
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [NAME])
        assert cursor.fetchone()[0].startswith("SCRAM-SHA-256$")


def test_command_names_what_is_missing(settings: Any) -> None:
    for url, said in (
        ("", "is not set"),
        ("postgresql://example.com/x", "has to name a user and a password"),
        (f"postgresql://{connection.settings_dict['USER']}:x@example.com/x", "DATABASE_URL names"),
    ):
        settings.LOANOFFICE_APP_DATABASE_URL = url
        with pytest.raises(CommandError, match=said):
            call_command("database_login")


def test_owner_without_the_right_to_make_roles_is_told(settings: Any, login: str) -> None:
    settings.LOANOFFICE_APP_DATABASE_URL = f"postgresql://another:{PASSWORD}@example.com/x"
    with acting_as(login), pytest.raises(CommandError, match="permission denied to create role"):
        call_command("database_login")


# --- At start -----------------------------------------------------------------------


@pytest.fixture
def strict(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web function's settings, in a process that has not connected yet."""
    settings.LOANOFFICE_DATABASE_OWNER = False
    monkeypatch.setattr(database_login, "CHECKED", set())


@pytest.mark.django_db(transaction=True)
def test_process_that_must_not_be_the_owner_does_not_connect_as_the_owner(strict: None) -> None:
    connection.close()
    for _ in range(2):  # not the second time either
        with pytest.raises(ImproperlyConfigured, match="DATABASE_URL names a login that this"):
            AuditEntry.objects.exists()
    assert connection.connection is None


@pytest.mark.django_db(transaction=True)
def test_process_connects_with_the_login_and_asks_once(
    strict: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LOANOFFICE_DATABASE_OWNER = True
    try:
        login_apply(Login(NAME, PASSWORD))
        settings.LOANOFFICE_DATABASE_OWNER = False
        with monkeypatch.context() as patch:
            patch.setitem(connection.settings_dict, "USER", NAME)
            patch.setitem(connection.settings_dict, "PASSWORD", PASSWORD)
            connection.close()
            entry_record(action=Action.VIEWED, message="Looked.")
            assert {"default"} == database_login.CHECKED
            connection.close()
            with connection.cursor() as cursor:
                cursor.execute("SELECT session_user")
                assert cursor.fetchone() == (NAME,)
                with pytest.raises(ProgrammingError, match="permission denied"):
                    cursor.execute("DELETE FROM audit_auditentry")
    finally:
        settings.LOANOFFICE_DATABASE_OWNER = True
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(f"DROP OWNED BY {NAME}")
            cursor.execute(f"DROP ROLE {NAME}")


def test_password_of_the_url_lets_the_login_in() -> None:
    url = as_login("postgresql://owner:x@host:5432/name?sslmode=require", NAME, "p")
    assert url == f"postgresql://{NAME}:p@host:5432/name?sslmode=require"
