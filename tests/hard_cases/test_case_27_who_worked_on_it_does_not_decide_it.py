"""Case 27: whoever ever worked on an application does not decide it, nor lends the right to.

Not only the last editor: everybody in the timeline, whatever others did since. The check of one
task, the filter of many, a bulk decision, the admin and the API keep them out alike.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import documents, intake
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.errors import FourEyesViolation
from reviews.models import BulkDecisionRow, ReviewDecision, ReviewTask
from reviews.services import bulk_decisions, decisions
from reviews.services.delegation import delegation_create
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import Login, decide_page, said
from tests.conftest import ALICE
from tests.partners.api.calls import assert_problem, path

pytestmark = pytest.mark.django_db
AMOUNT = 300_000


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def both(make_user: Callable[..., User]) -> User:
    """Somebody who may work on applications and decide every kind of task."""
    return make_user("both", Role.LOAN_OFFICER, Role.SENIOR_MANAGER, Role.RISK_ANALYST)


def created(both: User, officer: User) -> LoanApplication:
    draft = intake.application_create(user=both, **{**ALICE, "loan_amount": AMOUNT})
    intake.application_edit(reference=draft.reference, user=officer, phone="613-555-0100")
    return intake.application_submit(reference=draft.reference, user=officer)


def edited_a_draft(both: User, officer: User) -> LoanApplication:
    draft = intake.application_create(user=officer, **{**ALICE, "loan_amount": AMOUNT})
    intake.application_edit(reference=draft.reference, user=both, annual_income=120_000)
    intake.application_edit(reference=draft.reference, user=officer, phone="613-555-0100")
    return intake.application_submit(reference=draft.reference, user=officer)


def edited_while_it_was_open(both: User, officer: User) -> LoanApplication:
    application = casework.submit(officer, loan_amount=AMOUNT)
    intake.application_edit(reference=application.reference, user=both, phone="613-555-0100")
    return intake.application_edit(
        reference=application.reference, user=officer, phone="613-555-0101-1"
    )


def submitted(both: User, officer: User) -> LoanApplication:
    draft = intake.application_create(user=officer, **{**ALICE, "loan_amount": AMOUNT})
    intake.application_submit(reference=draft.reference, user=both)
    return intake.application_edit(reference=draft.reference, user=officer, phone="613-555-0100")


def added_a_document(both: User, officer: User) -> LoanApplication:
    application = casework.submit(officer, loan_amount=AMOUNT)
    upload = documents.upload_read(
        kind="other", name="slip.pdf", declared_type="", content=ContentFile(files.PDF)
    )
    documents.document_upload(reference=application.reference, user=both, upload=upload)
    return application


def was_deactivated_for_a_while(both: User, officer: User) -> LoanApplication:
    application = edited_a_draft(both, officer)
    for is_active in (False, True):
        both.is_active = is_active
        both.save()
    return application


CONTRIBUTIONS = {
    created: "created",
    edited_a_draft: "edited",
    edited_while_it_was_open: "edited",
    submitted: "submitted",
    added_a_document: "added a document to",
    was_deactivated_for_a_while: "edited",
}
every_contribution = pytest.mark.parametrize(
    "contribute", CONTRIBUTIONS, ids=lambda contribute: contribute.__name__
)


def asked(application: LoanApplication, kind: TaskKind) -> ReviewTask:
    casework.assess(application)
    return casework.ask(application, kind)


@every_contribution
@pytest.mark.parametrize("kind", [TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW])
def test_who_contributed_neither_decides_nor_is_asked(
    officer: User,
    both: User,
    contribute: Callable[[User, User], LoanApplication],
    kind: TaskKind,
) -> None:
    task = asked(contribute(both, officer), kind)

    with pytest.raises(FourEyesViolation, match=f"You {CONTRIBUTIONS[contribute]} LOAN-"):
        decisions.task_decide(task=task, user=both, outcome=Outcome.APPROVE)

    now = timezone.now()
    assert not decisions.tasks_decidable(user=both, now=now).exists()
    assert decisions.count_waiting_on(user=both, now=now) == 0
    assert not ReviewDecision.objects.exists()


@every_contribution
def test_who_contributed_decides_in_no_other_way(
    officer: User,
    both: User,
    login: Login,
    contribute: Callable[[User, User], LoanApplication],
) -> None:
    application = contribute(both, officer)
    task = asked(application, TaskKind.MANAGER_APPROVAL)
    client = login(both)

    answer = client.post(decide_page(application, "approve"), {"version": application.version})
    assert f"You {CONTRIBUTIONS[contribute]} {application.reference}" in said(answer)[-1]
    assert_problem(
        client.post(
            path(application.reference, "decision/"),
            {"approved": True, "version": application.version},
            content_type="application/json",
        ),
        403,
        "four-eyes",
    )
    run = bulk_decisions.bulk_begin(
        user=both,
        token=uuid4(),
        outcome=Outcome.APPROVE,
        rows=[bulk_decisions.Read(application.pk, task.pk, application.version)],
    )
    assert run is not None
    bulk_decisions.bulk_carry_on(run=run)
    assert BulkDecisionRow.objects.get().state == BulkDecisionRow.State.REFUSED
    assert not ReviewDecision.objects.exists()


@every_contribution
def test_right_of_who_contributed_is_used_by_nobody_else(
    officer: User,
    both: User,
    manager: User,
    contribute: Callable[[User, User], LoanApplication],
) -> None:
    task = asked(contribute(both, officer), TaskKind.MANAGER_APPROVAL)
    now = timezone.now()
    delegation_create(
        delegator=both,
        delegate=manager,
        starts_at=now,
        ends_at=now + timedelta(days=1),
        by=both,
    )

    with pytest.raises(FourEyesViolation, match=f"both {CONTRIBUTIONS[contribute]} LOAN-"):
        decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)

    assert not decisions.tasks_decidable(user=manager, now=timezone.now()).exists()


def test_who_worked_on_another_application_decides_this_one(officer: User, both: User) -> None:
    casework.submit(both)
    task = casework.waiting_for_manager(officer, loan_amount=AMOUNT).review_tasks.get()

    assert list(decisions.tasks_decidable(user=both, now=timezone.now())) == [task]
    decisions.task_decide(task=task, user=both, outcome=Outcome.APPROVE)
