"""Bulk decisions in chunks: few statements a row, and the same on record as one by one."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F, Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from audit.models import AuditEntry
from core.errors import DomainError
from lending.choices import Outcome
from partners.models import Partner
from reviews.models import BulkDecision, ReviewDecision, ReviewTask
from reviews.services import delegation
from reviews.services.bulk_decisions import Read, bulk_begin, bulk_carry_on
from reviews.services.claims import task_claim
from reviews.services.decisions import task_decide
from tests import casework
from webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows.incidents import incident_open, undecidable_key
from workflows.models import Incident, OutboxMessage, PendingCallback

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
APPROVE, DECLINE = Outcome.APPROVE, Outcome.DECLINE
Cases = list[LoanApplication]


def begin(user: User, cases: Cases, outcome: Outcome = APPROVE, **how: Any) -> BulkDecision:
    tasks = ReviewTask.objects.filter(application__in=cases)
    rows = [Read(task.application_id, task.pk, 1) for task in tasks]
    run = bulk_begin(user=user, token=uuid4(), outcome=outcome, rows=rows, **how)
    assert run is not None
    return run


@pytest.mark.parametrize("amount", [150_000, 600_000], ids=["settled", "first of two"])
def test_row_costs_at_most_four_statements(
    officer: User, senior: User, make_user: Callable[..., User], amount: int
) -> None:
    make_user("senior2", Role.SENIOR_MANAGER)
    counted = []
    for many in (60, 120):
        run = begin(senior, casework.many_waiting_for_manager(officer, many, loan_amount=amount))
        with CaptureQueriesContext(connection) as ran:
            assert bulk_carry_on(run=run)
        assert run.rows.filter(state="decided").count() == many
        counted.append(len(ran))

    few, many = counted
    assert (many - few) / 60 <= 4, counted


@pytest.fixture
def endpoint(partner: Partner) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        partner=partner, url="https://partner.example/", secret="whsec_AAAA"
    )


# Times of day, and keys of rows where they stand in texts, keys and JSON.
PASSING = re.compile(
    r"\d\d:\d\d(:\d\d)?(\.\d+)?|evt_\w+|\d+-\d\d-\d\dT[\d:.+-]+Z?"
    r"|\b(?:task|decisions?|undecidable|delivery|next|again)': \[?\d+|\b[a-z]+[/-]\d+"
)


def masked(text: str, case: LoanApplication) -> str:
    """A text without the reference, times of day and keys."""
    return PASSING.sub("*", text.replace(case.reference, "REFERENCE"))


class Scene:
    """One application for each thing that may keep it from being decided, or does not."""

    def __init__(self, people: dict[str, User], partner: Partner) -> None:
        self.people = people
        officer, decider = people["officer"], people["decider"]
        small = casework.many_waiting_for_manager(officer, 9)
        large = casework.many_waiting_for_manager(officer, 4, loan_amount=600_000)
        ours = casework.waiting_for_manager(None, partner=partner)
        self.cases = [*small, *large, ours]
        claimed, held, edited, own, gone, lost, mine, late, _ = small
        _, second, stale, again = large
        self._claim(claimed, decider)
        self._claim(held, people["other"])
        intake.application_edit(reference=edited.reference, user=officer, phone="613-555-0198")
        intake.application_edit(reference=own.reference, user=decider, phone="613-555-0198")
        intake.application_withdraw(reference=gone.reference, user=officer)
        self._decide(lost, people["other"])
        self._decide(mine, decider)
        ReviewTask.objects.filter(application=late).update(expires_at=timezone.now())
        self._decide(second, people["other"])
        self._decide(stale, people["gone"])
        self._decide(again, decider)
        task = small[-1].review_tasks.get()
        ReviewTask.objects.filter(pk=task.pk).update(undecidable_since=timezone.now())
        incident_open(
            kind=Incident.Kind.NOBODY_CAN_DECIDE,
            key=undecidable_key(task),
            application=small[-1],
            sentence="Nobody can.",
        )

    def _claim(self, case: LoanApplication, user: User) -> None:
        task_claim(task=case.review_tasks.get(), user=user)

    def _decide(self, case: LoanApplication, user: User) -> None:
        task_decide(task=case.review_tasks.get(), user=user, outcome=APPROVE)

    def rows(self, model: type[Model], which: str) -> list[list[str]]:
        """Return what is stored of each application, without keys, times and references."""
        cases = {
            getattr(case, "reference" if which == "reference" else "pk"): case
            for case in self.cases
        }
        found: dict[Any, list[str]] = {key: [] for key in cases}
        stored = model._default_manager.filter(**{f"{which}__in": cases})
        for row in stored.annotate(owner=F(which)).order_by("pk"):
            found[row.owner].append(self._plain(row, cases[row.owner]))
        return list(found.values())

    def _plain(self, row: Model, case: LoanApplication) -> str:
        kept = {}
        for field in row._meta.concrete_fields:
            value = field.value_from_object(row)
            is_person = field.is_relation and field.related_model is User
            if field.name in {"id", "object_id"} or (field.is_relation and not is_person):
                continue
            if field.get_internal_type() == "DateTimeField":
                value = value is not None
            kept[field.name] = value
        return masked(str(kept), case)


# Each model with the fields that lead to the application.
RECORD: list[tuple[type[Model], str]] = [
    (LoanApplication, "pk"),
    (ReviewTask, "application"),
    (ReviewDecision, "task__application"),
    (PendingCallback, "execution__application"),
    (Incident, "application"),
    (WebhookEvent, "application"),
    (WebhookDelivery, "event__application"),
    (ApplicationEvent, "application"),
    (AuditEntry, "reference"),
    (OutboxMessage, "application"),
    (OutboxMessage, "execution__application"),
]


@pytest.mark.parametrize("outcome", [APPROVE, DECLINE])
def test_same_is_on_record_as_of_rows_decided_one_by_one(
    endpoint: WebhookEndpoint,
    officer: User,
    senior: User,
    make_user: Callable[..., User],
    outcome: Outcome,
) -> None:
    """With a delegate as the decider, who may do so by a right of their own and by a lent one."""
    people = {
        "officer": officer,
        "decider": make_user("both", Role.LOAN_OFFICER, Role.MANAGER),
        "other": make_user("other", Role.MANAGER, Role.SENIOR_MANAGER),
        "gone": make_user("gone", Role.SENIOR_MANAGER),
    }
    now = timezone.now()
    delegation.delegation_create(
        delegator=senior,
        delegate=people["decider"],
        starts_at=now,
        ends_at=now + timezone.timedelta(days=1),
        by=senior,
    )
    scenes = [Scene(people, endpoint.partner) for _ in range(2)]
    # Without the signal that would void their approvals.
    User.objects.filter(username="gone").update(is_active=False)
    how = {"reason": "Call 613-555-0101.", "reason_code": "" if outcome == APPROVE else "OTHER"}

    run = begin(people["decider"], scenes[0].cases, outcome, **how)
    assert bulk_carry_on(run=run)
    alone = []
    for case in scenes[1].cases:
        try:
            task_decide(
                task=case.review_tasks.get(),
                user=people["decider"],
                outcome=outcome,
                version=1,
                **how,
            )
        except DomainError as refused:
            alone.append(masked(str(refused), case))
        else:
            alone.append("")

    together = [masked(row.why, row.application) for row in run.rows.select_related("application")]
    repeated = [row.state == "repeated" for row in run.rows.all()]
    assert repeated.count(True) == (2 if outcome == APPROVE else 0)
    assert [why for why, again in zip(together, repeated, strict=True) if not again] == [
        why for why, again in zip(alone, repeated, strict=True) if not again
    ]
    assert together.count("") >= 6
    for model, which in RECORD:
        first, second = (scene.rows(model, which) for scene in scenes)
        assert first == second, model
    for scene in scenes:  # what the comparison is about is there
        assert sum(map(len, scene.rows(ReviewDecision, "task__application"))) >= 9
