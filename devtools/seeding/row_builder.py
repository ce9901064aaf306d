"""Build the rows of one batch: the tables, the staff, the timeline.

``reviews`` and ``batch`` build on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from django.db import models

from accounts.roles import Role
from applications.models import (
    ApplicationEvent,
    CreditReport,
    Disbursement,
    LoanApplication,
    LoanOffer,
    RiskAssessment,
)
from applications.services.attempts import Attempt
from devtools.seeding.bulk_insert import BulkInsert
from devtools.seeding.histories import History, Terms
from lending.models import LendingPolicy
from reviews.models import ReviewDecision, ReviewTask
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

ATTEMPT = 1
NO_ACTOR = {"actor_id": None, "partner_id": None}  # the workflow itself wrote the entry
# The order in which rows can be written: referenced tables come first.
ORDER: tuple[type[models.Model], ...] = (
    LoanApplication,
    CreditReport,
    RiskAssessment,
    ReviewTask,
    ReviewDecision,
    LoanOffer,
    Disbursement,
    ApplicationEvent,
    Execution,
    PendingCallback,
    OutboxMessage,
    Incident,
)


@dataclass(frozen=True)
class Staff:
    """Primary keys of the staff by role, and of the partners in their order."""

    by_role: Mapping[Role, Sequence[int]]
    partners: Sequence[int]


@dataclass
class SeedRow:
    """One history with the keys that its rows are written under."""

    pk: int
    reference: str
    history: History
    typed_by: int | None = None
    partner: int | None = None

    @property
    def attempt(self) -> Attempt:
        return Attempt(reference=self.reference, number=ATTEMPT)


class RowBuilder:
    """The rows of one batch, before they are written."""

    def __init__(self, *, random: Random, terms: Terms, staff: Staff, policy: LendingPolicy):
        self.random = random
        self.terms = terms
        self.staff = staff
        self.policy = policy
        self.tables = {model: BulkInsert(model) for model in ORDER}
        self.ids: dict[type[models.Model], Iterator[int]] = {}

    def timeline_entry(
        self, row: SeedRow, kind: str, message: str, at: datetime, **more: Any
    ) -> None:
        """Add one timeline entry, by the submitter of the application unless ``more`` says."""
        self.tables[ApplicationEvent].put(
            {
                "application_id": row.pk,
                "kind": kind,
                "message": message,
                "at": at,
                "actor_id": row.typed_by,
                "partner_id": row.partner,
                **more,
            }
        )
