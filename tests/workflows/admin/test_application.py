"""The workflow's parts of an application's page: executions, callbacks, incidents, notices."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from applications.choices import Status
from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.services import decisions
from tests import casework
from tests.permissions import permit
from tests.workflows import trouble
from workflows import handover, incidents
from workflows import operations as ops
from workflows.models import Execution, Incident, PendingCallback


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(name: str, application: LoanApplication) -> str:
    return reverse(f"admin:applications_loanapplication_{name}", args=[application.pk])


@pytest.fixture
def stuck(officer: User) -> LoanApplication:
    application = casework.submit(officer)
    casework.assess(application)
    run = casework.run_of(application)
    handover.needs_attention(run, sentence="The fraud check was not answered.")
    application.refresh_from_db()
    incidents.incident_open(
        kind=Incident.Kind.FRAUD_UNANSWERED,
        key="fraud/1",
        application=application,
        sentence="Nobody answered the fraud check.",
    )
    return application


def test_page_shows_execution_callback_and_delivery_pending(
    officer: User, manager: User, operations: User
) -> None:
    application = casework.waiting_for_manager(officer)
    client = as_user(operations)
    assert "Delivery pending" not in client.get(page("change", application)).content.decode()
    etag = client.get(page("live", application)).headers["ETag"]

    decisions.task_decide(
        task=application.review_tasks.get(), user=manager, outcome=Outcome.APPROVE
    )

    html = client.get(page("change", application)).content.decode()
    assert "Delivery pending: the answer is recorded and on its way." in html
    assert f"{application.reference}-1" in html
    etag = client.get(page("live", application)).headers["ETag"]
    PendingCallback.objects.update(status=PendingCallback.Status.DELIVERED)
    delivered = client.get(page("live", application), headers={"If-None-Match": etag})
    assert delivered.status_code == 200
    assert "Delivery pending" not in delivered.content.decode()


def test_operations_restarts_a_stuck_case_and_only_such_a_case(
    stuck: LoanApplication, operations: User, officer: User
) -> None:
    client = as_user(operations)
    html = client.get(page("change", stuck)).content.decode()
    assert 'id="press-restart"' in html
    assert "Nobody answered the fraud check." in html
    client.get(page("restart", stuck))
    stuck.refresh_from_db()
    assert stuck.attempt == 1

    client.post(page("restart", stuck), {"reason": "The service is back."})

    stuck.refresh_from_db()
    assert (stuck.attempt, stuck.status) == (2, Status.SUBMITTED)
    assert Execution.objects.filter(name=f"{stuck.reference}-2").exists()
    assert stuck.events.filter(kind="restarted", actor=operations).exists()
    again = client.get(page("change", stuck)).content.decode()
    assert 'id="press-restart"' not in again
    assert "Nobody answered the fraud check." not in again
    client.post(page("restart", stuck), {})
    stuck.refresh_from_db()
    assert stuck.attempt == 2


@pytest.mark.parametrize("role", [Role.MANAGER, Role.LOAN_OFFICER, Role.AUDITOR])
def test_others_neither_see_nor_press_restart(
    stuck: LoanApplication, make_user: Callable[..., User], role: Role
) -> None:
    client = as_user(make_user("other", role))

    html = client.get(page("change", stuck)).content.decode()
    client.post(page("restart", stuck), {})

    assert 'id="press-restart"' not in html
    stuck.refresh_from_db()
    assert stuck.attempt == 1


@pytest.mark.parametrize("model", ["execution", "pendingcallback", "outboxmessage", "incident"])
def test_lists_link_to_the_case_and_filter_by_status_in_few_queries(
    stuck: LoanApplication,
    officer: User,
    auditor: User,
    model: str,
    django_assert_max_num_queries: Callable[..., object],
) -> None:
    for _ in range(5):
        casework.waiting_for_manager(officer)
    client = as_user(auditor)
    address = reverse(f"admin:workflows_{model}_changelist")

    with django_assert_max_num_queries(8):
        html = client.get(address).content.decode()

    assert "/admin/applications/loanapplication/" in html
    assert "status__exact=" in html


def test_execution_is_found_by_the_start_of_its_name(stuck: LoanApplication, auditor: User) -> None:
    answer = as_user(auditor).get(
        reverse("admin:workflows_execution_changelist"), {"q": stuck.reference.lower()}
    )

    assert [execution.application for execution in answer.context["cl"].result_list] == [stuck]


# --- Pauses, deliveries, late decisions ------------------------------------------------------


def test_paused_case_says_since_when_and_a_page_that_polls_hears_of_it(
    officer: User, operations: User
) -> None:
    application = casework.waiting_for_manager(officer)
    client = as_user(operations)
    etag = client.get(page("live", application)).headers["ETag"]

    ops.execution_pause(reference=application.reference, user=operations, reason="Bureau down.")

    paused = client.get(page("live", application), headers={"If-None-Match": etag})
    assert "Paused since <time" in paused.content.decode()
    assert '<span class="badge tone-wait">Paused</span>' in paused.content.decode()
    ops.execution_resume(reference=application.reference, user=operations)
    resumed = client.get(
        page("live", application), headers={"If-None-Match": paused.headers["ETag"]}
    )
    assert resumed.status_code == 200
    assert "Paused" not in resumed.content.decode().partition('id="application-log"')[0]


def test_pause_that_leaves_no_line_in_the_log_changes_the_etag_too(
    officer: User, auditor: User
) -> None:
    application = casework.waiting_for_manager(officer)
    client = as_user(auditor)
    etag = client.get(page("live", application)).headers["ETag"]

    Execution.objects.update(paused_at=timezone.now())  # as the reconciler follows the engine

    answer = client.get(page("live", application), headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert "Paused since" in answer.content.decode()


def test_answer_that_was_given_up_is_said_with_a_link_and_is_not_called_pending(
    officer: User, manager: User, operations: User
) -> None:
    incident = trouble.answer_given_up(officer, manager)
    client = as_user(operations)
    link = f'<a href="/admin/workflows/incident/{incident.pk}/change/">See the incident</a>'

    html = client.get(page("change", incident.application)).content.decode()

    assert f"“answer a callback” was given up after 20 tries. {link}" in html
    assert "Delivery pending" not in html
    assert '<span class="badge tone-bad">Not delivered</span>' in html
    etag = client.get(page("live", incident.application)).headers["ETag"]
    assert incident.message is not None
    ops.message_resend(message=incident.message, user=operations)
    again = client.get(page("live", incident.application), headers={"If-None-Match": etag})
    assert "Delivery pending: the answer is recorded" in again.content.decode()
    assert "was given up" not in again.content.decode()


def test_start_that_was_given_up_is_said(officer: User, auditor: User) -> None:
    incident = trouble.start_given_up(officer)

    html = as_user(auditor).get(page("change", incident.application)).content.decode()

    assert "“start an execution” was given up after 20 tries." in html


def test_incident_is_named_without_a_link_to_who_may_not_see_incidents(
    officer: User, make_user: Callable[..., User]
) -> None:
    incident = trouble.start_given_up(officer)
    somebody = make_user("somebody")
    permit(somebody, "view_loanapplication")

    html = as_user(somebody).get(page("change", incident.application)).content.decode()

    assert "was given up after 20 tries." in html
    assert "/admin/workflows/" not in html


def test_expired_case_with_a_late_decision_is_restarted_by_operations(
    officer: User, manager: User, operations: User, auditor: User
) -> None:
    incident = trouble.expired_then_approved(officer, manager)
    application = incident.application
    assert 'id="press-restart"' not in as_user(auditor).get(page("change", application)).text
    client = as_user(operations)
    html = client.get(page("change", application)).content.decode()
    assert 'id="press-restart"' in html
    assert "Late, not applied" in html

    client.post(page("restart", application), {})

    application.refresh_from_db()
    assert (application.status, application.attempt) == (Status.SUBMITTED, 2)
    incident.refresh_from_db()
    assert incident.status == Incident.Status.RESOLVED


def test_expired_case_without_a_late_decision_is_not_restarted(
    officer: User, manager: User, operations: User
) -> None:
    incident = trouble.expired_then_approved(officer, manager)
    Incident.objects.update(status=Incident.Status.RESOLVED)
    client = as_user(operations)

    html = client.get(page("change", incident.application)).content.decode()
    client.post(page("restart", incident.application), {})

    assert 'id="press-restart"' not in html
    incident.application.refresh_from_db()
    assert incident.application.attempt == 1


def test_open_incidents_lead_to_their_page_and_name_who_works_on_them(
    stuck: LoanApplication, operations: User, auditor: User
) -> None:
    incident = Incident.objects.get()
    incidents.incident_acknowledge(incident=incident, user=operations)

    html = as_user(auditor).get(page("change", stuck)).content.decode()

    assert f'href="/admin/workflows/incident/{incident.pk}/change/"' in html
    assert "operations works on it." in html


def test_page_of_a_case_costs_operations_a_bounded_number_of_queries(
    officer: User, operations: User, django_assert_max_num_queries: Callable[..., object]
) -> None:
    application = trouble.stuck(officer).application
    for _ in range(3):
        ops.application_restart(reference=application.reference, user=operations)
        application.refresh_from_db()
        casework.assess(application)
        trouble.handed_over(application)
    client = as_user(operations)

    with django_assert_max_num_queries(31):  # two of them its e-mails, one its notes
        client.get(page("live", application))
