"""What the workflow adds to a case's page: executions, callbacks, incidents, the restart."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from applications.models import LoanApplication
from applications.services import progress, review
from applications.vocabulary import Outcome, Role, Status
from tests import casework
from workflows import services
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
    progress.needs_attention(run, sentence="The fraud check was not answered.")
    application.refresh_from_db()
    services.incident_open(
        kind=Incident.Kind.FRAUD_UNANSWERED,
        key="fraud/1",
        application=application,
        sentence="Nobody answered the fraud check.",
    )
    return application


def test_page_shows_execution_callback_and_delivery_pending(
    officer: User, manager: User, auditor: User
) -> None:
    application = casework.waiting_for_manager(officer)
    client = as_user(auditor)
    assert "Delivery pending" not in client.get(page("change", application)).content.decode()
    etag = client.get(page("live", application)).headers["ETag"]

    review.task_decide(task=application.review_tasks.get(), user=manager, outcome=Outcome.APPROVE)

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

    with django_assert_max_num_queries(8):  # type: ignore[attr-defined]
        html = client.get(address).content.decode()

    assert "/admin/applications/loanapplication/" in html
    assert "status__exact=" in html


def test_execution_is_found_by_the_start_of_its_name(stuck: LoanApplication, auditor: User) -> None:
    answer = as_user(auditor).get(
        reverse("admin:workflows_execution_changelist"), {"q": stuck.reference.lower()}
    )

    assert [execution.application for execution in answer.context["cl"].result_list] == [stuck]
