"""Append-only rows stay as they were written: the model and the database refuse changes.

Each protected table is walked with each statement that could change or remove its rows.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from applications.models import ApplicationEvent, Disbursement, LoanApplication
from audit import seal_verification, sealing
from audit.append_only import OF_PARTS, ON_POSTGRESQL, OPERATIONS, trigger_name
from audit.models import Action, AppendOnlyError, AuditEntry, Seal, SealVerification
from audit.services import entry_record
from lending.models import LendingPolicy, PolicyAuthority, PolicyTier
from reviews.models import ReviewDecision
from tests.hard_cases.together import together

pytestmark = pytest.mark.both_databases

# Each protected table, and the columns that may still change.
MAY_CHANGE: dict[type[models.Model], set[str]] = {
    AuditEntry: set(),
    ApplicationEvent: set(),
    Disbursement: {"status", "rail_reference", "funded_at", "orders"},
    ReviewDecision: {"late", "voided_at", "voided_because"},
    LendingPolicy: set(),
    PolicyTier: set(),
    PolicyAuthority: set(),
    Seal: set(),
    SealVerification: set(),
}
PARTS = (PolicyTier, PolicyAuthority)
# A column of each that can be given another value without breaking a constraint of it.
ANOTHER = {
    AuditEntry: ("message", "another"),
    ApplicationEvent: ("message", "another"),
    Disbursement: ("amount", 1),
    ReviewDecision: ("reason", "another"),
    LendingPolicy: ("approval_threshold", 1),
    PolicyTier: ("annual_rate", 1),
    PolicyAuthority: ("ceiling", 1),
    Seal: ("hash", "another"),
    SealVerification: ("finding", "another"),
}
each_table = pytest.mark.parametrize(
    "model", MAY_CHANGE, ids=[model.__name__ for model in MAY_CHANGE]
)


@pytest.fixture
def entry(draft: LoanApplication) -> AuditEntry:
    return entry_record(action=Action.VIEWED, message="Looked.", target=draft)


@pytest.fixture(autouse=True)
def _sealed(request: pytest.FixtureRequest) -> None:
    """A seal and a verification, where there are rows."""
    if "record" in request.fixturenames:
        request.getfixturevalue("record")
        sealing.seals_make()
        seal_verification.seals_verify()


def stored(model: type[models.Model]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{model._meta.db_table}" ORDER BY id')
        return list(cursor.fetchall())


def refused(model: type[models.Model], statement: str, *values: object) -> None:
    """Run a statement that the database has to refuse; every row stays."""
    before = stored(model)
    assert before
    with (
        pytest.raises(IntegrityError, match=f"{model._meta.db_table} is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, values)
    assert stored(model) == before


def test_model_refuses_to_change_or_delete_an_entry(entry: AuditEntry) -> None:
    entry.message = "another"
    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(message="another"),
    ):
        with pytest.raises(AppendOnlyError):
            attempt()
    assert AuditEntry.objects.get(pk=entry.pk).message == "Looked."


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


@pytest.mark.django_db
@pytest.mark.parametrize("model", PARTS)
def test_nothing_is_added_to_a_published_policy(model: type[models.Model]) -> None:
    table = model._meta.db_table
    names = ", ".join(
        f'"{field.column}"' for field in model._meta.concrete_fields if not field.primary_key
    )
    refused(model, f'INSERT INTO "{table}" ({names}) SELECT {names} FROM "{table}"')


@pytest.mark.django_db
def test_draft_of_a_policy_is_changed_and_deleted_until_it_is_published() -> None:
    draft = LendingPolicy.objects.create(version=2)
    tier = draft.tiers.create(tier="prime", minimum_score=1, annual_rate=1, largest_amount=1)
    ceiling = draft.authorities.create(role="manager", ceiling=1)
    for row in (draft, tier, ceiling):
        row.save()
    ceiling.delete()
    LendingPolicy.objects.filter(pk=draft.pk).update(notes="still a draft")
    LendingPolicy.objects.filter(pk=draft.pk).update(published_at=timezone.now())

    for change in (
        draft.save,
        tier.save,
        tier.delete,
        lambda: draft.authorities.create(role="manager", ceiling=1),
        lambda: PolicyTier.objects.filter(policy__version=1).update(policy=draft),
    ):
        with pytest.raises(IntegrityError, match="is append-only"), transaction.atomic():
            change()


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
def test_change_of_a_tier_waits_for_the_publication_and_is_refused() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    draft = LendingPolicy.objects.create(version=2)
    tier = draft.tiers.create(tier="prime", minimum_score=1, annual_rate=1, largest_amount=1)

    def publish() -> str:
        with transaction.atomic():
            LendingPolicy.objects.filter(pk=draft.pk).update(published_at=timezone.now())
        return "published"

    def change() -> str:
        try:
            PolicyTier.objects.filter(pk=tier.pk).update(annual_rate=2)
        except IntegrityError:
            return "refused"
        return "changed"

    told = together([publish, change])

    rate = PolicyTier.objects.get(pk=tier.pk).annual_rate
    assert (told[1], rate) in {("refused", 1), ("changed", 2)}
    assert LendingPolicy.objects.get(pk=draft.pk).published_at is not None
    assert change() == "refused"


@pytest.mark.django_db
@each_table
def test_triggers_are_there_after_all_migrations(model: type[models.Model]) -> None:
    """SQLite forgets them when a migration rebuilds the table: it has to call ``protect`` again."""
    table = model._meta.db_table
    wanted = {trigger_name(table, each) for each in (OF_PARTS if model in PARTS else OPERATIONS)}
    if connection.vendor == "postgresql":
        wanted |= {trigger_name(table, each) for each in ON_POSTGRESQL}
    assert wanted == {name for of, name in triggers() if of == table}


@pytest.mark.django_db
def test_no_other_table_has_triggers() -> None:
    assert {table for table, _ in triggers()} == {model._meta.db_table for model in MAY_CHANGE}


def triggers() -> Iterator[tuple[str, str]]:
    """Yield the table and the name of each trigger that is in force."""
    names = {
        "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT relname, tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
        "WHERE NOT tgisinternal AND tgenabled = 'O'",
    }
    with connection.cursor() as cursor:
        cursor.execute(names[connection.vendor])
        yield from cursor.fetchall()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_", ["once", "and again, between which Django empties the tables"])
def test_tests_begin_with_no_entries_and_the_triggers_in_place(_: str) -> None:
    assert not AuditEntry.objects.exists()
    entry_record(action=Action.VIEWED, message="Looked.")
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="append-only"):
        cursor.execute("DELETE FROM audit_auditentry")
