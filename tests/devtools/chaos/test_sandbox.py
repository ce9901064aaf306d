"""A run's own folder and database, and the refusal to come near one that is in use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections

from accounts.roles import Role
from applications.models import LoanApplication
from devtools.chaos.people import create_people
from devtools.chaos.plan import SENIORS, logins
from devtools.chaos.sandbox import PORTS, DatabaseInUse, Sandbox, free_ports, refuse_database_in_use
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_recognise
from tests import casework
from tests.functions.engine_process import database_url

pytestmark = pytest.mark.both_databases

transactional = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url())
    sandbox = Sandbox(latency=0.5)
    yield sandbox
    connections.close_all()


def there(database: str) -> bool:
    if connection.vendor == "sqlite":
        return Path(database).exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        return cursor.fetchone() is not None


@transactional
def test_run_works_in_a_database_of_its_own_and_leaves_nothing(
    sandbox: Sandbox, make_user: object
) -> None:
    mine = connection.settings_dict["NAME"]
    endpoint = os.environ["AWS_ENDPOINT_URL_LAMBDA"]
    Partner.objects.create(name="Not of the run")
    sandbox.create()
    try:
        call_command("migrate", verbosity=0)
        assert connection.settings_dict["NAME"] == sandbox.database != mine
        assert os.environ["AWS_ENDPOINT_URL_LAMBDA"] == sandbox.engine
        keys = create_people(partners=3)
        assert len({row.partner for key in keys if (row := partner_key_recognise(key))}) == 3
        people = {*logins(Role.MANAGER), *SENIORS, *logins(Role.RISK_ANALYST)}
        assert User.objects.filter(username__in=people, is_staff=True).count() == len(people)
        assert not Partner.objects.filter(name="Not of the run").exists()
    finally:
        sandbox.restore()
    assert connection.settings_dict["NAME"] == mine
    assert os.environ["AWS_ENDPOINT_URL_LAMBDA"] == endpoint
    assert Partner.objects.filter(name="Not of the run").exists()
    assert not PartnerKey.objects.exists()
    assert there(sandbox.database)
    assert sandbox.folder.exists()
    sandbox.discard()
    assert not there(sandbox.database)
    assert not sandbox.folder.exists()


@transactional
def test_processes_are_led_to_the_scratch_and_to_no_provider(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUIFAX_URL", "https://bureau.example")
    environment = sandbox.environment
    assert sandbox.database in environment["DATABASE_URL"]
    assert environment["EQUIFAX_URL"] == environment["PAYOUT_RAIL_URL"] == ""
    assert environment["LOANOFFICE_DATA"] == str(sandbox.folder)
    assert environment["LOANOFFICE_SIMULATED_LATENCY"] == "0.5"
    assert environment["AWS_ENDPOINT_URL_LAMBDA"] == f"http://127.0.0.1:{sandbox.engine_port}"


@transactional
def test_database_that_holds_applications_is_refused(sandbox: Sandbox, officer: User) -> None:
    refuse_database_in_use()
    casework.submit(officer)
    with pytest.raises(DatabaseInUse, match="holds applications"):
        refuse_database_in_use()
    if sandbox.on_server:
        with pytest.raises(DatabaseInUse):
            sandbox.create()
        assert not there(sandbox.database)
        assert not sandbox.folder.exists()
    assert LoanApplication.objects.count() == 1


def test_ports_are_two_and_outside_of_the_range_of_outgoing_connections() -> None:
    first, second = free_ports(2)
    assert first != second
    assert {first, second} <= set(PORTS)
