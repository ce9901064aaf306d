"""Pending migrations: which of them older code cannot live with."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests.sizes import some
from tests.workflows.deploy_check.draining import NAME, Pending
from tests.workflows.deploy_check.pending_operations import DANGEROUS, DROP_PHONE, HARMLESS
from workflows.deploy_check.migration_safety import OPAQUE, dangers_pending

pytestmark = pytest.mark.django_db


@pytest.mark.long
@pytest.mark.parametrize("case", some(DANGEROUS, of=3))
def test_operation_that_older_code_cannot_live_with_is_named(pending: Pending, case: str) -> None:
    operations, sentence = DANGEROUS[case]
    name = pending(operations)

    found = dangers_pending()

    assert {danger.migration for danger in found} == {name}
    assert all(danger.operation for danger in found)
    assert any(sentence in danger.sentence for danger in found), found


@pytest.mark.long
@pytest.mark.parametrize("case", some(HARMLESS, of=3))
def test_operation_that_older_code_lives_with_is_not_named(pending: Pending, case: str) -> None:
    pending(HARMLESS[case])

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
