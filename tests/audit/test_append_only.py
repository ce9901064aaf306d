"""Append-only rows stay as they were written: the model and the database refuse changes.

Each protected table is walked with each statement that could change or remove its rows.
"""

from typing import Any

import pytest
from django.db import connection, models, transaction
from pytest_django import DjangoDbBlocker

from accounts.roles import Role
from applications.models import ApplicationEvent, ApplicationNote, Disbursement
from audit import seal_verification, sealing
from audit.models import AuditEntry, Seal, SealVerification
from lending.models import LendingPolicy, PolicyAuthority, PolicyTier
from reviews.models import InformationRequest, ReviewDecision
from tests.audit.protected import MAY_CHANGE, each_table, make_record, refused
from tests.casework import staff

pytestmark = pytest.mark.both_databases

# A column of each that can be given another value without breaking a constraint of it.
ANOTHER = {
    AuditEntry: ("message", "another"),
    ApplicationEvent: ("message", "another"),
    ApplicationNote: ("text", "another"),
    Disbursement: ("amount", 1),
    ReviewDecision: ("reason", "another"),
    InformationRequest: ("message", "another"),
    LendingPolicy: ("approval_threshold", 1),
    PolicyTier: ("annual_rate", 1),
    PolicyAuthority: ("ceiling", 1),
    Seal: ("hash", "another"),
    SealVerification: ("finding", "another"),
}


@pytest.fixture(scope="module")
def rows(module_rows: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Rows in every table of ``MAY_CHANGE``."""
    with django_db_blocker.unblock():
        make_record(staff("officer", Role.LOAN_OFFICER), staff("manager", Role.MANAGER))
        sealing.seals_make()
        seal_verification.seals_verify()


@pytest.fixture
def record(db: None, rows: None) -> None:
    """Rows in every table of ``MAY_CHANGE``, made once for the module."""


@each_table
def test_update_of_a_fixed_column_is_refused(record: None, model: type[models.Model]) -> None:
    column, value = ANOTHER[model]
    refused(model, f'UPDATE "{model._meta.db_table}" SET "{column}" = %s', value)


@each_table
def test_every_column_is_fixed_but_those_that_may_change(
    record: None, model: type[models.Model]
) -> None:
    """NULL is another value of each that has one; other values stand in ``_another``."""
    table = model._meta.db_table
    for field in model._meta.concrete_fields:
        column = field.column
        changed = "NULL" if field.null else _another(field)
        where = f'"{column}" IS NOT NULL'
        if not model._default_manager.filter(**{f"{field.attname}__isnull": False}).exists():
            continue
        statement = f'UPDATE "{table}" SET "{column}" = {changed} WHERE {where}'
        if column not in MAY_CHANGE[model]:
            refused(model, statement)
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'UPDATE "{table}" SET "{column}" = "{column}"')
            assert cursor.rowcount


def _another(field: "models.Field[Any, Any]") -> str:
    """Return SQL for another value of the column of a field."""
    column = f'"{field.column}"'
    if isinstance(field, models.BooleanField):
        return f"NOT {column}"
    if isinstance(field, models.JSONField):
        return "'[7]'"
    if isinstance(field, models.DateTimeField):
        return "'2001-01-01 00:00:00'"
    if isinstance(field, models.DurationField):
        return f"{column} + {column}"
    if isinstance(field, models.CharField | models.TextField):
        return "'x'"
    return f"{column} + 1"


@each_table
def test_delete_is_refused(record: None, model: type[models.Model]) -> None:
    refused(model, f'DELETE FROM "{model._meta.db_table}"')


@each_table
def test_replace_and_upsert_are_refused(record: None, model: type[models.Model]) -> None:
    """A row inserted in the place of another deletes or updates that one."""
    table = model._meta.db_table
    changed, value = ANOTHER[model]
    columns = [field.column for field in model._meta.concrete_fields]
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join("%s" if name == changed else f'"{name}"' for name in columns)
    copied = f'({names}) SELECT {values} FROM "{table}" WHERE true'
    if connection.vendor == "sqlite":
        refused(model, f'INSERT OR REPLACE INTO "{table}" {copied}', value)
        refused(model, f'REPLACE INTO "{table}" {copied}', value)
        refused(model, f'UPDATE OR REPLACE "{table}" SET "{changed}" = %s', value)
    refused(
        model,
        f'INSERT INTO "{table}" {copied} ON CONFLICT (id) DO UPDATE '
        f'SET "{changed}" = excluded."{changed}"',
        value,
    )


@pytest.mark.postgres_only
@each_table
def test_truncate_is_refused(record: None, model: type[models.Model]) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no such statement")
    with transaction.atomic():  # foreign keys are checked when the statement begins
        connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    refused(model, f'TRUNCATE "{model._meta.db_table}" CASCADE')
