"""The demo leaves a database of another version alone, and says what to do."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from devtools.database_version import is_of_another_version
from devtools.ports import free_port
from tests import spawned

# What a database of the version before the packages by subject looks like.
OLD = """
CREATE TABLE django_migrations (id integer PRIMARY KEY, app varchar(255), name varchar(255),
    applied datetime);
INSERT INTO django_migrations (app, name, applied) VALUES
    ('applications', '0001_initial', '2026-11-01'), {more}
    ('workflows', '0001_initial', '2026-11-01');
CREATE TABLE applications_loanapplication (id integer PRIMARY KEY);
"""


def demo(data: Path) -> "subprocess.CompletedProcess[str]":
    return spawned.run(
        [str(settings.BASE_DIR / "manage.py"), "demo"],
        env={
            **{k: v for k, v in os.environ.items() if k != "DATABASE_URL"},
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "LOANOFFICE_DATA": str(data),
            "PORT": str(free_port()),
            "ENGINE_PORT": str(free_port()),
        },
    )


@pytest.mark.parametrize(
    ("more", "tables"),
    [
        pytest.param(
            "('applications', '0002_policy_version_1', '2026-11-01'),", "", id="migration"
        ),
        pytest.param("", "CREATE TABLE applications_partner (id integer);", id="table"),
    ],
)
def test_demo_refuses_a_database_of_another_version_in_one_sentence_and_keeps_it(
    tmp_path: Path, more: str, tables: str
) -> None:
    path = tmp_path / "loanoffice.sqlite3"
    database = sqlite3.connect(path)
    database.executescript(OLD.format(more=more) + tables)
    database.close()
    before = path.read_bytes()

    refused = demo(tmp_path)

    assert refused.returncode == 1
    assert refused.stderr == (
        "CommandError: The demo database was made by another version of Loan Office and cannot be "
        f"brought to this one: remove {tmp_path}, or choose another folder with LOANOFFICE_DATA.\n"
    )
    database = sqlite3.connect(path)
    names = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    database.close()
    assert "lending_lendingpolicy" not in names
    assert path.read_bytes()[100:] == before[100:]  # the header alone says that it is in WAL mode


@pytest.mark.both_databases
@pytest.mark.django_db
def test_own_database_is_of_this_version() -> None:
    assert not is_of_another_version()


@pytest.mark.both_databases
@pytest.mark.django_db
def test_migration_that_is_not_on_disk_is_of_another_version() -> None:
    MigrationRecorder(connection).record_applied("reviews", "0009_of_later")

    assert is_of_another_version()


@pytest.mark.both_databases
@pytest.mark.django_db
def test_initial_migration_that_was_changed_in_place_is_of_another_version() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_proposal RENAME COLUMN note TO remark")

    assert is_of_another_version()


@pytest.mark.both_databases
@pytest.mark.django_db
def test_database_of_nobody_yet_is_of_this_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.introspection, "table_names", lambda *_: [])
    monkeypatch.setattr(MigrationRecorder, "applied_migrations", lambda _: {})

    assert not is_of_another_version()
