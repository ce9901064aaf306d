"""Case 28: an approval counts for the version of the application that it was given on.

An edit of what deciders judge voids what was approved before, visibly, and asks again: on the
same task while it is open, in a new attempt when the workflow went on already.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.services import documents, intake
from core.errors import DomainError
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import Login, page
from tests.hard_cases.together import together
from workflows.models import Execution, OutboxMessage, PendingCallback
from workflows.steps import offer, payout

pytestmark = pytest.mark.django_db
APPROVE = Outcome.APPROVE


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def senior2(make_user: Callable[..., User]) -> User:
    return make_user("senior2", Role.SENIOR_MANAGER)


@pytest.fixture
def large(officer: User) -> LoanApplication:
    """An application that two people have to approve."""
    return casework.waiting_for_manager(officer, loan_amount=600_000)


def approve(application: LoanApplication, user: User, **more: Any) -> ReviewDecision:
    task = application.review_tasks.select_related("application").get(status="open")
    return decisions.task_decide(task=task, user=user, outcome=APPROVE, **more)


def edit(application: LoanApplication, user: User, **fields: Any) -> None:
    fields = fields or {"phone": "613-555-0177"}
    intake.application_edit(reference=application.reference, user=user, **fields)


def add(
    application: LoanApplication, kind: str, user: User | None, partner: Partner | None = None
) -> None:
    upload = documents.upload_read(
        kind=kind, name="slip.pdf", declared_type="", content=ContentFile(files.PDF)
    )
    documents.upload_store(reference=application.reference, upload=upload)
    documents.document_add(
        reference=application.reference, upload=upload, user=user, partner=partner
    )


def test_second_approval_of_another_version_does_not_settle_it(
    large: LoanApplication, officer: User, senior: User, senior2: User
) -> None:
    approve(large, senior)
    edit(large, officer)

    approve(large, senior2)

    task = ReviewTask.objects.get()
    assert (task.status, task.outcome) == ("open", "")
    assert not OutboxMessage.objects.filter(kind=OutboxMessage.Kind.ANSWER_CALLBACK).exists()
    first, second = ReviewDecision.objects.order_by("pk")
    assert first.voided_at is not None
    assert first.voided_because == "The application was changed after it: phone."
    assert second.voided_at is None
    # Who approved before is asked again like everybody else, and may approve the new version.
    assert task in decisions.tasks_decidable(user=senior, now=timezone.now())
    approve(large, senior, version=2)
    task.refresh_from_db()
    assert (task.status, task.outcome) == ("decided", "approve")


@pytest.mark.parametrize(
    ("field", "typed"),
    [("phone", "613-555-0188"), ("email", "new@example.com"), ("address", "1 New Street, Ottawa")],
)
def test_every_field_that_may_change_while_it_is_open_voids_what_was_approved(
    large: LoanApplication, officer: User, senior: User, field: str, typed: str
) -> None:
    approve(large, senior)
    edit(large, officer, **{field: typed})
    assert ReviewDecision.objects.get().voided_at is not None


@pytest.mark.parametrize(
    ("kind", "voids"),
    [
        ("proof_of_identity", True),
        ("proof_of_income", True),
        ("bank_statement", True),
        ("other", False),
    ],
)
@pytest.mark.parametrize("by_partner", [False, True])
def test_document_that_deciders_read_voids_and_another_does_not(
    officer: User,
    senior: User,
    partner: Partner,
    kind: str,
    voids: bool,
    by_partner: bool,
) -> None:
    large = casework.waiting_for_manager(
        None if by_partner else officer,
        partner=partner if by_partner else None,
        loan_amount=600_000,
    )
    approve(large, senior)

    add(large, kind, None if by_partner else officer, partner if by_partner else None)

    assert (ReviewDecision.objects.get().voided_at is not None) == voids
    large.refresh_from_db()
    assert large.version == (2 if voids else 1)


def test_edit_is_seen_in_timeline_pages_lists_and_mail(
    large: LoanApplication, officer: User, senior: User, senior2: User, login: Login
) -> None:
    decision = approve(large, senior)
    task = ReviewTask.objects.get()
    edit(large, officer)

    event = ApplicationEvent.objects.get(kind="approvals_voided")
    assert event.message == (
        "Manager approval: an approval counts no more, so that it is asked again. "
        "The application was changed after it: phone."
    )
    assert (event.actor, event.data) == (officer, {"task": task.pk, "decisions": [decision.pk]})
    html = login(senior2).get(page("change", large)).content.decode()
    assert "0 of 2 given" in html
    assert "Voided, counts no more" in html
    assert "The application was changed after it: phone." in html
    mine = login(senior2).get("/admin/reviews/reviewtask/?mine=yes").content.decode()
    assert "0 of 2 given" in mine
    listed = login(senior2).get("/admin/reviews/reviewdecision/").content.decode()
    assert "Voided, counts no more" in listed
    again = OutboxMessage.objects.get(key=f"task/{task.pk}/again/{decision.pk}")
    assert again.payload == {"task": task.pk, "notice": "opened", "again": decision.pk}


def test_edit_after_the_decision_begins_a_new_attempt_that_asks_again(
    officer: User, manager: User
) -> None:
    application = casework.waiting_for_manager(officer)
    approve(application, manager)
    callback = PendingCallback.objects.get()
    assert callback.status == "answered"

    edit(application, officer)

    application.refresh_from_db()
    assert (application.status, application.attempt) == ("submitted", 2)
    task = ReviewTask.objects.get()
    assert (task.status, task.outcome) == ("cancelled", "")
    assert ReviewDecision.objects.get().voided_at is not None
    # What the first attempt was about to be told is called back, and the second one is started.
    callback.refresh_from_db()
    assert callback.status == "cancelled"
    answer = OutboxMessage.objects.get(kind=OutboxMessage.Kind.ANSWER_CALLBACK)
    assert answer.status == "cancelled"
    started = Execution.objects.get(attempt=2)
    assert OutboxMessage.objects.get(key=f"start/{started.name}").status == "pending"
    restarted = ApplicationEvent.objects.get(kind="restarted")
    assert restarted.message == (
        "Restarted as attempt 2. It was approved before its phone changed."
    )


def test_edit_after_the_offer_pays_nothing_by_the_approvals_before(
    officer: User, manager: User
) -> None:
    application = casework.waiting_for_manager(officer)
    run = casework.run_of(application)
    approve(application, manager)
    casework.pass_fraud_check(application)
    assert offer.offer_begin(run) is None
    casework.make_offer(run)

    edit(application, officer)

    with pytest.raises(DomainError), transaction.atomic():
        payout.disbursement_request(run)
    application.refresh_from_db()
    assert (application.status, application.attempt) == ("submitted", 2)


def test_edit_once_the_payout_was_requested_voids_nothing(officer: User, manager: User) -> None:
    application = casework.waiting_for_manager(officer)
    run = casework.run_of(application)
    approve(application, manager)
    casework.pass_fraud_check(application)
    assert offer.offer_begin(run) is None
    casework.make_offer(run)
    payout.disbursement_request(run)

    edit(application, officer)

    assert ReviewDecision.objects.get().voided_at is None
    application.refresh_from_db()
    assert (application.status, application.attempt) == ("approved", 1)


def test_edit_voids_no_decision_where_nobody_was_asked(officer: User) -> None:
    application = casework.offered(officer)
    edit(application, officer)
    application.refresh_from_db()
    assert (application.status, application.attempt) == ("approved", 1)


def test_cleared_flag_is_asked_again_after_an_edit(officer: User, analyst: User) -> None:
    application = casework.submit(officer)
    casework.assess(application)
    casework.ask(application, TaskKind.FRAUD_REVIEW)
    approve(application, analyst)

    edit(application, officer)

    application.refresh_from_db()
    assert application.attempt == 2
    assert ReviewDecision.objects.get().voided_at is not None


@pytest.mark.parametrize("save", [True, False], ids=["saved", "by a statement"])
def test_first_approval_of_a_deactivated_person_stops_counting(
    large: LoanApplication,
    senior: User,
    senior2: User,
    make_user: Callable[..., User],
    save: bool,
) -> None:
    third = make_user("senior3", Role.SENIOR_MANAGER)
    approve(large, senior)
    if save:
        senior.is_active = False
        senior.save()
        assert ReviewDecision.objects.get().voided_because == "Who gave it is not active any more."
        assert ApplicationEvent.objects.filter(kind="approvals_voided").exists()
    else:
        User.objects.filter(pk=senior.pk).update(is_active=False)

    approve(large, senior2)
    task = ReviewTask.objects.get()
    assert task.status == "open"
    approve(large, third)
    task.refresh_from_db()
    assert task.status == "decided"
    assert [row.voided_at is None for row in ReviewDecision.objects.order_by("pk")] == [
        False,
        True,
        True,
    ]


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_edit_beside_the_last_approval_never_leaves_two_versions_in_one_decision(
    large: LoanApplication, officer: User, senior: User, senior2: User, round_: int
) -> None:
    approve(large, senior)

    results = together([partial(edit, large, officer), partial(approve, large, senior2)])

    assert not [result for result in results if isinstance(result, Exception)], results
    application = LoanApplication.objects.get()
    task = ReviewTask.objects.get()
    counting = ReviewDecision.objects.filter(voided_at=None)
    assert task.status == ("open" if application.attempt == 1 else "cancelled")
    assert {row.application_version for row in counting} <= {2}
