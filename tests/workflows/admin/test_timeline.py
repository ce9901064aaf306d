"""A case's timeline: people, rules, workflow, deliveries and incidents in one order."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import Login, page
from tests.permissions import permit
from tests.workflows import trouble
from tests.workflows.admin.test_history import EVENTS
from tests.workflows.lambda_stub import LambdaStub, lambda_stub
from workflows.admin.timeline import Source
from workflows.models import Execution
from workflows.steps import review


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaStub]:
    with lambda_stub(monkeypatch) as serving:
        yield serving


def lines(client: Client, application: LoanApplication, **query: Any) -> list[Any]:
    answer = client.get(page("timeline", application), query)
    assert answer.status_code == 200
    return [line for _, day in answer.context["days"] for line in day]


@pytest.fixture
def decided(officer: User, manager: User) -> LoanApplication:
    application = casework.waiting_for_manager(officer)
    decisions.task_decide(
        task=application.review_tasks.get(),
        user=manager,
        outcome=Outcome.DECLINE,
        reason="Employment could not be verified.",
    )
    return application


def test_lines_of_people_rules_workflow_and_deliveries_stand_in_the_order_of_time(
    login: Login, auditor: User, decided: LoanApplication
) -> None:
    found = lines(login(auditor), decided, show=[*Source])

    assert [line.at for line in found] == sorted(line.at for line in found)
    by_source = {
        source: [x.what for x in found if x.source == source]
        for source in {line.source for line in found}
    }
    assert set(by_source) == {"person", "application", "workflow", "delivery"}
    assert "Equifax: score 782, a clean record." in by_source["application"]
    assert "Execution queued" in by_source["workflow"]
    assert "Waits for an answer: Manager approval" in by_source["workflow"]
    assert "Answer recorded: Manager approval" in by_source["workflow"]
    assert "Start an execution: queued" in by_source["delivery"]
    (declined,) = [line for line in found if line.what == "Manager approval: declined."]
    assert (declined.source, declined.who) == ("person", "manager")


def test_incident_and_what_was_given_up_are_lines_that_stand_out(
    login: Login, officer: User, manager: User, make_user: Any
) -> None:
    incident = trouble.answer_given_up(officer, manager)

    found = lines(
        login(make_user("root", *Role, is_superuser=True)), incident.application, show=[*Source]
    )

    bad = [line.what for line in found if line.is_bad]
    assert any(incident.sentence in said for said in bad)
    assert "Answer a callback: given up" in bad


def test_chosen_sources_alone_are_shown(
    login: Login, auditor: User, decided: LoanApplication
) -> None:
    client = login(auditor)

    assert {line.source for line in lines(client, decided, show=["person"])} == {"person"}
    both = lines(client, decided, show=["application", "workflow"])
    assert {line.source for line in both} == {"application", "workflow"}
    assert len(lines(client, decided, show=["nonsense"])) == len(lines(client, decided))


def test_engine_is_asked_only_when_somebody_says_so(
    login: Login, auditor: User, decided: LoanApplication, engine: LambdaStub
) -> None:
    Execution.objects.filter(application=decided).update(arn="arn:x", started_at=timezone.now())
    client = login(auditor)
    lines(client, decided)
    assert engine.reads == []
    engine.pages.append({"Events": EVENTS})

    found = lines(client, decided, workflow="engine")

    assert len(engine.reads) == 1
    workflow = [line.what for line in found if line.source == "workflow"]
    assert "Step failed: validate" in workflow
    assert "Execution queued" not in workflow
    assert not any("Alice" in str(line.facts) for line in found if line.source == "workflow")


def test_record_stands_for_an_engine_that_has_nothing_and_a_sentence_says_so(
    login: Login, auditor: User, decided: LoanApplication, engine: LambdaStub
) -> None:
    Execution.objects.filter(application=decided).update(arn="arn:x", started_at=timezone.now())

    answer = login(auditor).get(page("timeline", decided), {"workflow": "engine"})

    assert "keeps history for a limited time" in answer.content.decode()
    assert "Execution queued" in answer.content.decode()


def test_who_may_not_see_the_workflow_is_shown_the_case_alone(
    login: Login, decided: LoanApplication, make_user: Any
) -> None:
    reader = make_user("reader")
    permit(reader, "view_loanapplication")
    client = login(reader)

    assert {line.source for line in lines(client, decided)} == {"person", "application"}
    answer = client.get(page("timeline", decided), {"workflow": "engine", "show": "workflow"})
    assert "Execution" not in answer.content.decode()


def test_timeline_needs_the_right_to_see_the_case_and_changes_nothing(
    login: Login, decided: LoanApplication, make_user: Any, auditor: User
) -> None:
    assert login(make_user("nobody")).get(page("timeline", decided)).status_code == 403
    assert login(auditor).post(page("timeline", decided)).status_code == 405


def test_timeline_costs_the_same_number_of_queries_however_long_it_is(
    login: Login,
    officer: User,
    manager: User,
    make_user: Any,
    decided: LoanApplication,
    django_assert_num_queries: Any,
) -> None:
    client = login(make_user("root", *Role, is_superuser=True))
    other = trouble.stuck(officer).application
    # The eight of the page, and two that note who looked.
    with django_assert_num_queries(15):
        lines(client, decided, show=[*Source])
    with django_assert_num_queries(15):
        lines(client, other, show=[*Source])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        ("waiting", "The threshold is 100,000.00 CAD."),
        ("declined", "Declined by manager: “Employment could not be verified.”"),
        ("withdrawn", "The applicant changed their mind."),
    ],
)
def test_page_says_why_a_case_stands_where_it_stands(
    login: Login, officer: User, manager: User, auditor: User, make: str, why: str
) -> None:
    application = casework.waiting_for_manager(officer)
    if make == "declined":
        decisions.task_decide(
            task=application.review_tasks.get(),
            user=manager,
            outcome=Outcome.DECLINE,
            reason="Employment could not be verified.",
        )
        review.declined_on_review(casework.run_of(application), TaskKind.MANAGER_APPROVAL)
    elif make == "withdrawn":
        intake.application_withdraw(
            reference=application.reference,
            user=officer,
            reason="The applicant changed their mind.",
        )

    html = login(auditor).get(page("change", application)).content.decode()

    shown = html.split('id="application-why"')[1].split("</p>")[0]
    assert why in shown
    assert shown.count(why.rpartition("“")[2].rstrip(".”")) == 1, "said once"
