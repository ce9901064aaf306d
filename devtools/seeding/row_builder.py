"""What every row of a batch is written with: the tables, the people, the timeline.

``reviews`` and ``rows`` build on it.
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
from devtools.seeding.bulk_insert import Table
from devtools.seeding.histories import Course, Terms
from lending.models import LendingPolicy
from reviews.models import ReviewDecision, ReviewTask
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

ATTEMPT = 1
NOBODY = {"actor_id": None, "partner_id": None}  # the workflow itself wrote the line
# The order in which rows can be written: what others refer to comes first.
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
    """Primary keys of the staff by their role, and of the partners by their place."""

    by_role: Mapping[Role, Sequence[int]]
    partners: Sequence[int]


@dataclass
class SeedRow:
    """One course with what it is written under."""

    pk: int
    reference: str
    course: Course
    typed_by: int | None = None
    partner: int | None = None

    @property
    def run(self) -> Attempt:
        return Attempt(reference=self.reference, attempt=ATTEMPT)


class Sheet:
    """The rows of one batch, before they are written."""

    def __init__(self, *, random: Random, terms: Terms, staff: Staff, policy: LendingPolicy):
        self.random = random
        self.terms = terms
        self.staff = staff
        self.policy = policy
        self.tables = {model: Table(model) for model in ORDER}
        self.ids: dict[type[models.Model], Iterator[int]] = {}

    def line(self, case: SeedRow, kind: str, message: str, at: datetime, **more: Any) -> None:
        """One line of the timeline, in the name of who brought the case unless ``more`` says."""
        self.tables[ApplicationEvent].put(
            {
                "application_id": case.pk,
                "kind": kind,
                "message": message,
                "at": at,
                "actor_id": case.typed_by,
                "partner_id": case.partner,
                **more,
            }
        )
