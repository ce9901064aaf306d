"""The tables whose rows stay as they were written, and rows in them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, models, transaction

from applications.models import ApplicationEvent, ApplicationNote, Disbursement
from applications.services.notes import note_add
from audit.models import Action, AuditEntry, Seal, SealVerification
from audit.services import entry_record
from lending.choices import Outcome
from lending.models import LendingPolicy, PolicyAuthority, PolicyTier
from reviews.models import InformationRequest, ReviewDecision
from reviews.services import decisions
from reviews.services.information import information_ask
from tests import casework

# Each protected table, and the columns that may still change.
MAY_CHANGE: dict[type[models.Model], set[str]] = {
    AuditEntry: set(),
    ApplicationEvent: set(),
    ApplicationNote: set(),
    Disbursement: {"status", "rail_reference", "funded_at", "orders"},
    ReviewDecision: {"late", "voided_at", "voided_because"},
    # Of one that is open; the others: tests/reviews/services/test_information_ends.py
    InformationRequest: {"status", "answer", "answered_by_id", "answered_at", "cancelled_at"},
    LendingPolicy: set(),
    PolicyTier: set(),
    PolicyAuthority: set(),
    Seal: set(),
    SealVerification: set(),
}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PARTS = (PolicyTier, PolicyAuthority)
each_table = pytest.mark.parametrize(
    "model", MAY_CHANGE, ids=[model.__name__ for model in MAY_CHANGE]
)


def make_record(officer: User, manager: User) -> None:
    """Make rows in every protected table but those of seals."""
    LendingPolicy.objects.create(version=0, published_at=LONG_AGO)  # not in force
    application = casework.funded(officer)
    casework.disbursing(officer)
    entry_record(action=Action.VIEWED, message="Looked.", target=application, actor=manager)
    note_add(reference=application.reference, user=manager, text="For @officer.")
    for _ in range(2):
        task = casework.waiting_for_manager(officer).review_tasks.get()
        decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    for _ in range(2):
        task = casework.waiting_for_manager(officer).review_tasks.get()
        information_ask(task=task, user=manager, message="Net or gross?")


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
