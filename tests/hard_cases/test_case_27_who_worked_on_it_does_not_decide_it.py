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
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications import contributions
from applications.models import LoanApplication
from applications.services import documents, intake, timeline
from lending.choices import Outcome
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue, partner_key_rotate
from reviews.choices import TaskKind
from reviews.errors import FourEyesViolation
from reviews.models import BulkDecisionRow, ReviewDecision, ReviewTask
from reviews.services import bulk_decisions, decisions
from reviews.services.delegation import delegation_create
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import Login, decide_page, said
from tests.casework import ALICE
from tests.partners.api.calls import BASE, assert_problem, path
from tests.sizes import some

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
    files.document_upload(reference=application.reference, user=both, upload=upload)
    return application


def was_deactivated_for_a_while(both: User, officer: User) -> LoanApplication:
    application = edited_a_draft(both, officer)
    for is_active in (False, True):
        both.is_active = is_active
        both.save()
    return application


def came_by(key: PartnerKey) -> LoanApplication:
    fields = {**ALICE, "loan_amount": AMOUNT}
    return intake.application_create_and_submit(partner=key.partner, partner_key=key, **fields)


def issued_its_key(both: User, officer: User) -> LoanApplication:
    key, _ = partner_key_issue(partner=Partner.objects.create(name="Maple"), by=both)
    return came_by(key)


def proposed_its_key(both: User, officer: User) -> LoanApplication:
    partner = Partner.objects.create(name="Maple")
    key, _ = partner_key_issue(partner=partner, by=officer, proposed_by=both)
    return came_by(key)


def made_its_key_by_rotating_another(both: User, officer: User) -> LoanApplication:
    old, _ = partner_key_issue(partner=Partner.objects.create(name="Maple"), by=officer)
    key, _ = partner_key_rotate(partner_key=old, by=both)
    return came_by(key)


def rotated_its_key(both: User, officer: User) -> LoanApplication:
    key, _ = partner_key_issue(partner=Partner.objects.create(name="Maple"), by=officer)
    application = came_by(key)
    partner_key_rotate(partner_key=key, by=both)
    return application


def issued_the_key_of_a_document(both: User, officer: User) -> LoanApplication:
    partner = Partner.objects.create(name="Maple")
    application = came_by(partner_key_issue(partner=partner, by=officer)[0])
    key, _ = partner_key_issue(partner=partner, by=both)
    upload = documents.upload_read(
        kind="other", name="slip.pdf", declared_type="", content=ContentFile(files.PDF)
    )
    documents.upload_store(reference=application.reference, upload=upload)
    documents.document_add(
        reference=application.reference, upload=upload, partner=partner, partner_key=key
    )
    return application


BY_KEY = "issued the partner key that brought"
CONTRIBUTIONS = {
    created: "created",
    edited_a_draft: "edited",
    edited_while_it_was_open: "edited",
    submitted: "submitted",
    added_a_document: "added a document to",
    was_deactivated_for_a_while: "edited",
    issued_its_key: BY_KEY,
    proposed_its_key: BY_KEY,
    made_its_key_by_rotating_another: BY_KEY,
    rotated_its_key: BY_KEY,
    issued_the_key_of_a_document: BY_KEY,
}
every_contribution = pytest.mark.parametrize(
    "contribute", some(CONTRIBUTIONS, of=2), ids=lambda contribute: contribute.__name__
)


def asked(application: LoanApplication, kind: TaskKind) -> ReviewTask:
    casework.assess(application)
    return casework.ask(application, kind)


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


def test_key_of_the_request_is_kept_by_the_api_and_keeps_who_issued_it_out(
    both: User, partner: Partner
) -> None:
    row, key = partner_key_issue(partner=partner, by=both)
    answer = Client(headers={"Authorization": f"Bearer {key}"}).post(
        BASE,
        {"applicant_name": "Zoe", "sin_last4": "1111", "loan_amount": "300000"},
        content_type="application/json",
    )
    assert answer.status_code == 201, answer.content
    application = LoanApplication.objects.get()
    keys = application.events.values_list("partner_key", flat=True)
    assert list(keys) == [row.pk, row.pk]

    task = asked(application, TaskKind.MANAGER_APPROVAL)
    with pytest.raises(FourEyesViolation, match="You issued the partner key that brought"):
        decisions.task_decide(task=task, user=both, outcome=Outcome.APPROVE)


def test_other_keys_of_the_partner_keep_nobody_out(both: User, officer: User) -> None:
    application = rotated_its_key(officer, officer)
    partner_key_issue(partner=Partner.objects.get(), by=both)
    task = asked(application, TaskKind.MANAGER_APPROVAL)

    assert list(decisions.tasks_decidable(user=both, now=timezone.now())) == [task]
    decisions.task_decide(task=task, user=both, outcome=Outcome.APPROVE)


def test_contributions_to_many_are_loaded_at_once_and_are_those_to_each(
    officer: User, both: User, django_assert_num_queries: Any
) -> None:
    key, _ = partner_key_issue(partner=Partner.objects.create(name="Maple"), by=both)
    cases = [came_by(key), came_by(key), casework.submit(officer), casework.submit(both)]
    alone = [contributions.contributions_of(case) for case in cases]

    # Applications, entries, their keys, and what these were rotated to.
    with django_assert_num_queries(4):
        loaded = list(contributions.with_contributions(LoanApplication.objects.order_by("pk")))
        assert [contributions.contributions_of(case) for case in loaded] == alone
    assert [found.did for found in alone[0]] == [BY_KEY]


def test_every_entry_of_the_timeline_that_somebody_causes_is_a_contribution_or_is_not() -> None:
    """A new kind of entry has to be named here or in ``CONTRIBUTIONS``."""
    after_it_came = {
        *("withdrawn", "claimed", "claim_taken_over", "claim_released", "late_decision"),
        *("approvals_voided", "restarted", "stopped", "paused", "resumed", "resent"),
        *("incident_acknowledged", "incident_resolved", "payout_settled", "payout_found"),
        *("reconciled", "sent_back", "noted"),
    }
    assert set(timeline.ACTIONS) == {*contributions.CONTRIBUTIONS, *after_it_came}


def test_who_worked_on_another_application_decides_this_one(officer: User, both: User) -> None:
    casework.submit(both)
    task = casework.waiting_for_manager(officer, loan_amount=AMOUNT).review_tasks.get()

    assert list(decisions.tasks_decidable(user=both, now=timezone.now())) == [task]
    decisions.task_decide(task=task, user=both, outcome=Outcome.APPROVE)
