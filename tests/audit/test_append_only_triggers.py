"""The triggers that keep rows append-only: where they are, and what they do to policies."""

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from applications.models import LoanApplication
from audit.append_only import OF_PARTS, ON_POSTGRESQL, OPERATIONS, trigger_name
from audit.models import Action, AppendOnlyError, AuditEntry
from audit.services import entry_record
from lending.models import LendingPolicy, PolicyTier
from tests.audit.protected import MAY_CHANGE, PARTS, each_table, refused
from tests.hard_cases.together import together

pytestmark = pytest.mark.both_databases


@pytest.fixture
def entry(draft: LoanApplication) -> AuditEntry:
    return entry_record(action=Action.VIEWED, message="Looked.", target=draft)


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
