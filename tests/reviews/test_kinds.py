"""The table of review kinds: complete, checked, and read by everything that differs by kind."""

import inspect
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from accounts.roles import Role, role_by_key, roles_above
from applications.admin.step_indicator import State
from applications.models import ApplicationEvent
from devtools.chaos.plan import logins, plan_make
from devtools.seeding.seed import FORMER_STAFF, SeedRequest, seed
from functions.loan_approval import carry
from lending.choices import Outcome, ReasonCode
from lending.services import PERSON_WAITS, longest_wait, policy_current
from reviews.admin.application import ReviewApplicationPage
from reviews.admin.approvals import approvals_of
from reviews.admin.forms import DeclineReasonForm, ReasonForm
from reviews.api.permissions import DECIDE
from reviews.checks import check_row, review_kinds_fit
from reviews.choices import TaskKind
from reviews.kinds import (
    CEILING_KINDS,
    ESCALATED_KINDS,
    REVIEW_KINDS,
    ROWS,
    STAFF_KINDS,
    ReviewKind,
    Trigger,
    by_kind,
)
from reviews.models import ReviewDecision, ReviewTask
from reviews.services.decisions import may_decide_some, tasks_decidable
from reviews.services.decline_reasons import reasons_for, reasons_shown
from tests import casework
from tests.permissions import permit
from workflows import review_deadlines
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.steps import review, validation

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind.value)


def opened(row: ReviewKind, officer: User) -> ReviewTask:
    """A task of the kind, on an application that the workflow would ask about."""
    casework.change_policies(**{row.required_by: True} if row.required_by else {"notes": ""})
    if row.trigger is Trigger.OFFERED:
        application = casework.offered(officer)
    else:
        flagged = row.trigger is Trigger.FLAGGED
        application = casework.submit(officer, sin_last4="4444" if flagged else "1111")
        casework.assess(application)
    application.refresh_from_db()
    return casework.ask(application, row.kind)


# --- The table ----------------------------------------------------------------------------


def test_every_kind_has_one_row_in_the_order_in_which_people_are_asked() -> None:
    assert set(REVIEW_KINDS) == set(TaskKind)
    assert len(ROWS) == len(TaskKind)


def test_kind_without_a_row_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"0 rows for TaskKind\.FRAUD_REVIEW; every"):
        by_kind(row for row in ROWS if row.kind != TaskKind.FRAUD_REVIEW)


def test_kind_with_two_rows_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"2 rows for TaskKind\.OFFER_ACCEPTANCE"):
        by_kind([*ROWS, REVIEW_KINDS[TaskKind.OFFER_ACCEPTANCE]])


@every_row
def test_every_field_is_set(row: ReviewKind) -> None:
    assert row.assignees
    assert all(assignee.described for assignee in row.assignees)
    assert set(row.words) == {Outcome.APPROVE, Outcome.DECLINE}
    assert all(row.words.values())
    assert row.declined_as in ReasonCode
    assert row.skipped_as
    assert row.decided_by_staff == all(assignee.recipients for assignee in row.assignees)
    assert row.decided_by_staff == (row.kind in STAFF_KINDS)
    assert row.has_ceiling == (row.kind in CEILING_KINDS)
    assert (row.step.value == row.kind.value) == row.own_step


def test_no_two_kinds_share_a_permission_or_a_step_of_their_own() -> None:
    own = [row.step for row in ROWS if row.own_step]
    assert len(set(own)) == len(own)
    assert len({row.permission for row in ROWS}) == len(ROWS)


# --- The check ----------------------------------------------------------------------------


def test_table_fits_the_policy_and_the_roles() -> None:
    assert review_kinds_fit() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"wait": "no_such_field"}, "reviews.E001"),
        ({"wait": ""}, "reviews.E001"),
        ({"wait": "currency"}, "reviews.E001"),
        ({"due": "offer_acceptance_required"}, "reviews.E001"),
        ({"two_approvals_from": "approval_due"}, "reviews.E001"),
        ({"required_by": "version"}, "reviews.E001"),
        ({"permission": "reviews.record_offer_acceptance"}, "reviews.E002"),
        ({"permission": "reviews.decide_nothing"}, "reviews.E003"),
    ],
)
def test_row_that_names_what_does_not_exist_is_an_error(changes: dict[str, str], code: str) -> None:
    row = replace(REVIEW_KINDS[TaskKind.MANAGER_APPROVAL], **changes)

    found = check_row(row)

    assert code in {message.id for message in found}
    assert all("manager" in message.msg.lower() for message in found)


# --- Everything that reads it ---------------------------------------------------------------


@every_row
@pytest.mark.django_db
def test_permission_exists_and_opens_the_decision(row: ReviewKind, officer: User) -> None:
    codename = row.permission.partition(".")[2]
    decider = User.objects.create_user("decider", is_staff=True)
    permit(decider, codename)
    task = opened(row, officer)

    assert may_decide_some(user=decider, kinds=[row.kind])
    assert list(tasks_decidable(user=decider, now=timezone.now())) == [task]
    assert (row.permission in DECIDE.staff) == row.decided_by_staff


@every_row
@pytest.mark.django_db
def test_task_is_opened_as_the_row_says(row: ReviewKind, officer: User) -> None:
    task = opened(row, officer)

    application, policy = task.application, policy_current()
    application.refresh_from_db()
    assert application.status == row.status
    assert application.current_step == row.step
    assert application.waiting_on == task.assigned_role == row.assignees[0].role
    if row.answers_offer:
        assert task.expires_at == application.offers.get().expires_at
    else:
        assert task.expires_at - task.opened_at == getattr(policy, row.wait)
    assert bool(task.reasons) == (row.trigger is Trigger.REFERRED or bool(row.opening_reasons))
    assert approvals_of(application, task).next_by.startswith(row.assignees[0].described)


@every_row
@pytest.mark.django_db
def test_those_who_are_asked_are_written_to_and_then_those_above(
    row: ReviewKind, officer: User
) -> None:
    User.objects.update(email="")  # the officer is not one of those who are counted
    for role in Role:
        user = User.objects.create_user(role.name, f"{role.name}@example.com", is_staff=True)
        user.groups.add(Group.objects.get(name=role.value))
    casework.letters_at_once()
    task = opened(row, officer)
    OutboxMessage.objects.exclude(kind="email").delete()
    queue.send_due()
    asked = sorted(letter.to[0] for letter in mail.outbox)
    if row.decided_by_staff:
        assert asked == sorted(f"{r.name}@example.com" for r in row.assignees[0].recipients)
    else:
        assert asked == [task.application.email]

    mail.outbox.clear()
    ReviewTask.objects.update(reminded_at=task.opened_at)
    half = (task.expires_at - task.opened_at) / 2
    moved = review_deadlines.pass_deadlines(now=task.opened_at + half)
    queue.send_due()

    assert moved["escalated"] == (row.kind in ESCALATED_KINDS)
    told = sorted(letter.to[0] for letter in mail.outbox)
    # Nobody gets a letter who could not act on it: without a rank above, those who were asked do.
    above = roles_above(task.assigned_role) if row.has_ceiling else row.assignees[0].recipients
    above = above if row.escalated else ()
    assert told == sorted(f"{role.name}@example.com" for role in above)


@every_row
@pytest.mark.django_db
def test_application_page_has_its_buttons_and_its_step(row: ReviewKind, officer: User) -> None:
    task = opened(row, officer)
    everything = User.objects.create_user("everything")
    everything.groups.set(Group.objects.all())

    page = ReviewApplicationPage(task.application, everything)

    labels = [button.label for button in page.buttons()]
    assert set(row.words.values()) <= set(labels)
    states = {shown.step: shown.state for shown in page.steps}
    assert states[row.step] == State.CURRENT


@every_row
@pytest.mark.django_db
def test_step_is_left_out_where_nobody_was_asked(row: ReviewKind, officer: User) -> None:
    """The steps are drawn from the tasks of this application, not from the enumeration."""
    application = casework.funded(officer, loan_amount=20_000)

    states = {
        shown.step: shown.state_text for shown in ReviewApplicationPage(application, officer).steps
    }

    if not row.own_step:
        assert states[row.step] == "done"
    elif row.required_by:
        assert row.step not in states
    else:
        assert states[row.step] == row.skipped_as


@every_row
@pytest.mark.django_db
def test_decline_is_explained_to_the_applicant_and_ends_the_application(
    row: ReviewKind, officer: User
) -> None:
    task = opened(row, officer)
    ReviewDecision.objects.create(
        task=task, decided_by=officer, outcome="decline", reason="Words.", application_version=1
    )

    review.declined_on_review(casework.run_of(task.application), row.kind)

    task.application.refresh_from_db()
    told = reasons_shown(kind=row.kind, decision=task.decisions.get())
    assert task.application.decision_reasons == told
    assert told[0]["code"] == row.declined_as
    assert ApplicationEvent.objects.filter(kind=f"declined_{row.kind}").exists()


@every_row
@pytest.mark.django_db
def test_catalogue_has_reasons_to_decline_it(row: ReviewKind) -> None:
    reasons = reasons_for([row.kind])

    assert reasons
    offered = ReasonForm(outcome=Outcome.DECLINE, kinds=[row.kind]).catalogue
    assert list(offered) == [reason.code for reason in reasons]
    assert (row.kind.value, row.kind.label) in DeclineReasonForm.base_fields["kinds"].choices


@every_row
@pytest.mark.django_db
def test_wait_counts_in_the_longest_execution_and_reaches_the_workflow(
    row: ReviewKind, officer: User
) -> None:
    assert len(PERSON_WAITS) == len(ROWS)
    if row.required_by:
        without = validation.validation_record(casework.run_of(casework.submit(officer)))
        assert row.kind.value not in without.waits
        casework.change_policies(**{row.required_by: True})
    policy = policy_current()
    before = longest_wait(policy)
    sharing = sum(other.wait == row.wait for other in ROWS)
    setattr(policy, row.wait, getattr(policy, row.wait) + timedelta(days=1))

    assert longest_wait(policy) == before + sharing * timedelta(days=1)
    found = validation.validation_record(casework.run_of(casework.submit(officer)))
    assert found.waits[row.kind.value] == getattr(policy_current(), row.wait).total_seconds()


@every_row
def test_workflow_asks_for_it(row: ReviewKind) -> None:
    assert f"ask_person(TaskKind.{row.kind.name}, " in inspect.getsource(carry)


def test_chaos_decides_every_kind_that_staff_decide() -> None:
    planned = plan_make(applications=200, kills=0, seed=1).applications

    assert {decision.kind for case in planned for decision in case.decisions} == set(STAFF_KINDS)


@pytest.mark.django_db
def test_seeding_makes_up_tasks_of_every_kind_that_staff_decide() -> None:
    seed(SeedRequest(closed=400))

    assert set(ReviewTask.objects.values_list("kind", flat=True)) == set(STAFF_KINDS)


@pytest.mark.parametrize("kind", STAFF_KINDS)
def test_seeding_and_chaos_have_people_who_decide_it(kind: TaskKind) -> None:
    assignees = REVIEW_KINDS[kind].assignees
    for assignee in assignees:
        assert any(FORMER_STAFF.get(role) for role in assignee.recipients)
    for assignee in (assignees[0], assignees[-1]):  # of several, a run asks these two
        assert logins(role_by_key(assignee.role))
