"""Create each test database as a copy of a migrated template, instead of migrating it anew.

The template is built once and kept until a source file of the product changes: a file in
``LOANOFFICE_DATA/test`` for SQLite, a database on the server for PostgreSQL. After a test that
commits, the database is made equal to the template again, so that no test depends on which
ran before it. ``conftest`` loads the fixture ``django_db_setup`` from here, in place of the one of
pytest-django.
"""

import functools
import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase
from filelock import FileLock
from psycopg import sql
from pytest_django import DjangoDbBlocker

from lending.services import policy_published
from tests import append_only
from workflows import engine

PREFIX = "test_template_"


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """One database for this process, with every migration applied."""
    original = connection.settings_dict["NAME"]
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        name = connection.creation._get_test_db_name()
        restore = copy_postgresql(name) if connection.vendor == "postgresql" else copy_sqlite(name)
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: restore())
        with django_db_blocker.block():
            yield
        connection.creation.destroy_test_db(original, verbosity=0)


@functools.cache
def fingerprint() -> str:
    """A hash of all that the tables and their first rows can depend on."""
    digest = hashlib.sha256()
    root = Path(settings.BASE_DIR)
    packages = {app.partition(".")[0] for app in settings.INSTALLED_APPS}
    sources = (path for name in sorted(packages) for path in sorted((root / name).rglob("*.py")))
    for path in (*sources, *sorted((root / "requirements").glob("*.txt"))):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def copy_sqlite(name: str) -> Callable[[], None]:
    """Copy the template's file to ``name``; a function that does so again while it is open."""
    folder = settings.TEST_DIR
    template = folder / f"{PREFIX}{fingerprint()}.sqlite3"
    with FileLock(folder / "template.lock"):
        if not template.exists():
            for old in folder.glob(f"{PREFIX}*"):
                old.unlink()
            new = folder / f"{PREFIX}new"
            _migrate(str(new))
            new.rename(template)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{name}{suffix}").unlink(missing_ok=True)
        shutil.copy(template, name)
        # One of its own, because a run on other sources may remove the template meanwhile.
        first = shutil.copy(template, f"{name}.first")
    _use(name)

    def restore() -> None:
        connection.ensure_connection()
        with closing(sqlite3.connect(first)) as source:
            source.backup(connection.connection)

    return restore


def copy_postgresql(name: str) -> Callable[[], None]:
    """Create the database ``name`` from the template's; a function that restores its rows."""
    template = PREFIX + fingerprint()
    with FileLock(settings.TEST_DIR / "template-postgresql.lock"):
        there = _databases()
        if template not in there:
            for old in there:
                if old.startswith(PREFIX):
                    _execute("DROP DATABASE {}", old)
            _execute("CREATE DATABASE {}", f"{PREFIX}new")
            _migrate(f"{PREFIX}new")
            _execute("ALTER DATABASE {} RENAME TO {}", f"{PREFIX}new", template)
        _execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        _execute("CREATE DATABASE {} TEMPLATE {}", name, template)
    _use(name)
    first = {table: _copy_out(table) for table in _tables_with_rows()}

    def restore() -> None:
        with append_only.lifted(), connection.cursor() as cursor:
            for table in _tables_with_rows():
                cursor.execute(f'DELETE FROM "{table}"')
            for table, rows in first.items():
                with cursor.copy(f'COPY "{table}" FROM STDIN') as copy:
                    copy.write(rows)

    return restore


def _tables_with_rows() -> list[str]:
    with connection.cursor() as cursor:
        # A table without a page has no row; most have none, and need not be looked into.
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0 "
            "AND relnamespace = 'public'::regnamespace"
        )
        tables = [table for (table,) in cursor.fetchall()]
        some = " UNION ALL ".join(
            f"(SELECT '{table}' FROM \"{table}\" LIMIT 1)" for table in tables
        )
        cursor.execute(some)
        return [table for (table,) in cursor.fetchall()]


def _copy_out(table: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
        return b"".join(copy)


def _migrate(name: str) -> None:
    """Apply every migration to the empty database ``name``."""
    _use(name)
    call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    call_command("createcachetable")
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _use(name: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


def _databases() -> set[str]:
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


def _execute(statement: str, *names: str) -> None:
    """Run a statement about databases; ``{}`` stands for the next of ``names``, quoted."""
    quoted = (sql.Identifier(name).as_string() for name in names)
    with connection._nodb_cursor() as cursor:
        cursor.execute(statement.format(*quoted))


def caches_clear() -> None:
    """Forget what this process kept, so that no test depends on the one before."""
    cache.clear()
    policy_published.cache_clear()
    engine.circuit_close()


@pytest.fixture(scope="module")
def module_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A transaction around the tests of a module, for rows that are costly to make.

    A fixture of the module's scope that depends on this one makes the rows, and every test
    finds them as they were made: what a test does is rolled back to a savepoint. Not for
    modules with tests that commit.
    """
    caches_clear()  # the modules before may have kept what is not in the database any more
    atomic = transaction.atomic()
    atomic._from_testcase = True  # durable blocks may stand in it
    with django_db_blocker.unblock():
        with atomic:
            with django_db_blocker.block():
                yield
            transaction.set_rollback(True)
        connection.close()
