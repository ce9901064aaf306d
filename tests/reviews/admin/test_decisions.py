"""Approve, decline and withdraw: who sees the buttons, and what pressing them does."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.choices import Status
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus
from reviews.models import ReviewDecision
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import Login, decide_page, page, said
from workflows.models import OutboxMessage

BUTTONS = ("press-approve", "press-decline")


def shows(client: Client, application: LoanApplication) -> list[str]:
    """The buttons on the page of a case."""
    html = client.get(page("change", application)).content.decode()
    names = (*BUTTONS, "press-withdraw", "press-restart")
    return [name for name in names if f'id="{name}"' in html]


def test_buttons_are_there_only_for_those_who_may_press_them(
    login: Login,
    waiting: LoanApplication,
    make_user: Callable[..., User],
) -> None:
    seen = {
        role.value: shows(login(make_user(role.name.lower(), role)), waiting)
        for role in Role
        if role != Role.LOAN_OFFICER
    }

    decides = list(BUTTONS)
    assert {role: found for role, found in seen.items() if found} == {
        "Manager": decides,
        "Senior manager": decides,
    }


def test_officer_sees_withdraw_until_the_case_is_closed(
    login: Login, waiting: LoanApplication, officer: User
) -> None:
    client = login(officer)
    assert shows(client, waiting) == ["press-withdraw"]

    client.post(page("withdraw", waiting), {"reason": "Found another lender."})

    waiting.refresh_from_db()
    assert waiting.status == Status.WITHDRAWN
    assert waiting.review_tasks.get().status == TaskStatus.CANCELLED
    assert shows(client, waiting) == []


def test_approval_is_recorded_with_version_event_and_the_message_that_leaves(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    read = client.get(decide_page(waiting, "approve"))
    assert "150,000.00" in read.content.decode()
    assert "AMOUNT_AT_THRESHOLD" in read.content.decode()

    answer = client.post(decide_page(waiting, "approve"), {"version": waiting.version})

    assert answer.url == page("change", waiting)
    decision = ReviewDecision.objects.get()
    assert (decision.decided_by, decision.outcome) == (manager, "approve")
    assert decision.application_version == waiting.version
    assert waiting.events.filter(kind="manager_approval_approved", actor=manager).exists()
    assert OutboxMessage.objects.filter(kind=OutboxMessage.Kind.ANSWER_CALLBACK).count() == 1
    assert said(answer) == [f"Manager approval of {waiting.reference}: approved."]


def test_decline_without_a_reason_is_asked_for_one_and_records_nothing(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)

    answer = client.post(
        decide_page(waiting, "decline"), {"version": waiting.version, "reason": "  "}
    )

    assert answer.status_code == 200
    assert answer.context["form"].errors["reason"]
    assert "The applicant and the partner read this." in answer.content.decode()
    assert not ReviewDecision.objects.exists()


def test_decline_with_a_reason_is_recorded(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    login(manager).post(
        decide_page(waiting, "decline"),
        {"version": waiting.version, "reason": "Employment not verified."},
    )

    assert ReviewDecision.objects.get().reason == "Employment not verified."


def test_get_and_head_of_every_page_change_nothing(
    login: Login, waiting: LoanApplication, make_user: Callable[..., User]
) -> None:
    client = login(make_user("admin", *Role, is_superuser=True))
    before = (waiting.version, waiting.updated_at, ApplicationEvent.objects.count())

    for address in (
        decide_page(waiting, "approve"),
        decide_page(waiting, "decline"),
        page("withdraw", waiting),
        page("restart", waiting),
        page("live", waiting),
        page("change", waiting),
        "/admin/applications/loanapplication/decide/approve/",
    ):
        client.get(address)
        client.head(address)

    waiting.refresh_from_db()
    assert (waiting.version, waiting.updated_at, ApplicationEvent.objects.count()) == before
    assert not ReviewDecision.objects.exists()


def test_post_without_the_csrf_token_is_refused(waiting: LoanApplication, manager: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)

    answer = client.post(decide_page(waiting, "approve"), {"version": waiting.version})

    assert answer.status_code == 403
    assert not ReviewDecision.objects.exists()


@pytest.mark.parametrize("outcome", ["approve", "decline"])
def test_second_manager_gets_conflict_and_first_decision_stands(
    login: Login,
    waiting: LoanApplication,
    manager: User,
    make_user: Callable[..., User],
    outcome: str,
) -> None:
    second = login(make_user("manager2", Role.MANAGER))
    second.get(decide_page(waiting, outcome))
    login(manager).post(decide_page(waiting, "approve"), {"version": waiting.version})

    answer = second.post(
        decide_page(waiting, outcome), {"version": waiting.version, "reason": "No."}
    )

    assert answer.url == page("change", waiting)
    assert "was already decided (approve) by manager at" in said(answer)[0]
    assert ReviewDecision.objects.get().decided_by == manager


def test_decision_on_a_version_that_moved_on_is_refused(
    login: Login, waiting: LoanApplication, manager: User, officer: User
) -> None:
    read = waiting.version
    intake.application_edit(reference=waiting.reference, user=officer, phone="613-555-0142")

    answer = login(manager).post(decide_page(waiting, "approve"), {"version": read})

    assert "you read version 1" in said(answer)[0]
    assert not ReviewDecision.objects.exists()


def test_decision_without_a_version_is_refused(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    answer = login(manager).post(decide_page(waiting, "approve"), {})

    assert answer.status_code == 200
    assert not ReviewDecision.objects.exists()


def test_withdrawn_case_has_nothing_to_decide(
    login: Login, waiting: LoanApplication, manager: User, officer: User
) -> None:
    intake.application_withdraw(reference=waiting.reference, user=officer)

    answer = login(manager).post(decide_page(waiting, "approve"), {"version": waiting.version})

    assert "is not waiting for this decision" in said(answer)[0]


def test_expired_task_is_not_decided_and_says_so_on_the_page(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    waiting.review_tasks.update(expires_at=timezone.now() - timedelta(seconds=1))
    client = login(manager)

    assert shows(client, waiting) == []
    assert "could be decided until" in client.get(page("change", waiting)).content.decode()
    answer = client.post(decide_page(waiting, "approve"), {"version": waiting.version})
    assert "was not applied" in said(answer)[0]
    assert [decision.late for decision in ReviewDecision.objects.all()] == [True]


@pytest.mark.parametrize("is_superuser", [False, True])
def test_who_submitted_sees_why_they_cannot_decide_and_cannot(
    login: Login, make_user: Callable[..., User], is_superuser: bool
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER, is_superuser=is_superuser)
    application = casework.waiting_for_manager(both)
    client = login(both)

    html = client.get(page("change", application)).content.decode()
    answer = client.post(decide_page(application, "approve"), {"version": application.version})

    sentence = f"You created {application.reference}, so someone else has to decide it."
    assert sentence in html
    assert not any(f'id="{name}"' in html for name in BUTTONS)
    assert said(answer) == [sentence]
    assert not ReviewDecision.objects.exists()


def test_manager_reads_that_the_amount_is_above_the_ceiling_and_a_senior_decides(
    login: Login, officer: User, manager: User, senior: User
) -> None:
    application = casework.waiting_for_manager(officer, loan_amount=300_000)

    html = login(manager).get(page("change", application)).content.decode()

    assert "above the manager ceiling of 250,000.00 CAD" in html
    assert shows(login(manager), application) == []
    assert shows(login(senior), application) == list(BUTTONS)


def test_two_people_approve_above_the_second_threshold(
    login: Login, officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    application = casework.waiting_for_manager(officer, loan_amount=600_000)
    client = login(senior)

    answer = client.post(decide_page(application, "approve"), {"version": application.version})

    assert "A second person has to approve as well." in said(answer)[0]
    assert shows(client, application) == []
    other = login(make_user("senior2", Role.SENIOR_MANAGER))
    assert shows(other, application) == list(BUTTONS)
    other.post(decide_page(application, "approve"), {"version": application.version})
    assert application.review_tasks.get().outcome == Outcome.APPROVE


def test_approver_who_lost_the_role_is_refused(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    client.get(decide_page(waiting, "approve"))
    manager.groups.set(Group.objects.filter(name=Role.AUDITOR.value))

    answer = client.post(decide_page(waiting, "approve"), {"version": waiting.version})

    assert said(answer) == ["You may not decide a manager approval."]
    assert not ReviewDecision.objects.exists()


def test_view_only_user_can_press_nothing(
    login: Login, waiting: LoanApplication, auditor: User
) -> None:
    client = login(auditor)
    before = ApplicationEvent.objects.count()

    assert shows(client, waiting) == []
    for address in (
        decide_page(waiting, "approve"),
        decide_page(waiting, "decline"),
        page("withdraw", waiting),
        page("restart", waiting),
    ):
        client.post(address, {"version": waiting.version, "reason": "Because."})
    refused = client.post(
        "/admin/applications/loanapplication/decide/approve/",
        {"row": f"{waiting.pk}:{waiting.review_tasks.get().pk}:{waiting.version}"},
    )

    assert refused.status_code == 403
    assert ApplicationEvent.objects.count() == before
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING_APPROVAL


def test_staff_without_any_role_sees_no_case(
    login: Login, waiting: LoanApplication, make_user: Callable[..., User]
) -> None:
    client = login(make_user("nobody"))

    for address in (
        page("change", waiting),
        page("live", waiting),
        decide_page(waiting, "approve"),
    ):
        assert client.get(address).status_code == 403


def test_analyst_decides_a_fraud_flag_and_a_manager_does_not(
    login: Login, officer: User, analyst: User, manager: User
) -> None:
    application = casework.submit(officer, sin_last4="4444", loan_amount=40_000)
    casework.assess(application)
    casework.ask(application, TaskKind.FRAUD_REVIEW)

    assert shows(login(manager), application) == []
    client = login(analyst)
    assert shows(client, application) == list(BUTTONS)
    assert "Clear the flag" in client.get(page("change", application)).content.decode()
    answer = client.post(decide_page(application, "approve"), {"version": application.version})
    assert application.review_tasks.get().outcome == Outcome.APPROVE
    # In the words of the button: it approves no loan.
    assert said(answer) == [f"Fraud review of {application.reference}: flag cleared."]
    line = application.events.get(kind="fraud_review_approved")
    assert line.message == "Fraud review: flag cleared."


def test_task_of_another_application_is_not_decided_here(
    login: Login, waiting: LoanApplication, officer: User, manager: User
) -> None:
    other = casework.waiting_for_manager(officer)
    task = other.review_tasks.get()

    answer = login(manager).post(
        page("decide", waiting, task.pk, "approve"), {"version": waiting.version}
    )

    assert answer.status_code == 404
    assert login(manager).get(page("decide", waiting, task.pk, "refer")).status_code == 404


def test_list_of_my_tasks_agrees_with_the_check_that_guards_each(
    officer: User, make_user: Callable[..., User]
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER)
    people = [
        both,
        officer,
        make_user("m", Role.MANAGER),
        make_user("s", Role.SENIOR_MANAGER),
        make_user("a", Role.RISK_ANALYST),
        make_user("root", *Role, is_superuser=True),
    ]
    cases = [
        casework.waiting_for_manager(officer),
        casework.waiting_for_manager(both),
        casework.waiting_for_manager(officer, loan_amount=300_000),
        casework.waiting_for_manager(officer, loan_amount=600_000),
    ]
    flagged = casework.submit(officer, loan_amount=40_000)
    casework.assess(flagged)
    casework.ask(flagged, TaskKind.FRAUD_REVIEW)
    cases.append(flagged)
    decisions.task_decide(task=cases[3].review_tasks.get(), user=people[3], outcome=Outcome.APPROVE)
    cases[0].review_tasks.update(expires_at=timezone.now() - timedelta(seconds=1))
    now = timezone.now()

    for user in people:
        listed = set(decisions.tasks_decidable(user=user, now=now).values_list("pk", flat=True))
        allowed = set()
        for application in cases:
            task = application.review_tasks.get()
            application.refresh_from_db()
            try:
                decisions.decision_check(application=application, task=task, user=user, now=now)
            except Exception:  # noqa: BLE001, S112
                continue
            allowed.add(task.pk)
        assert listed == allowed, user
