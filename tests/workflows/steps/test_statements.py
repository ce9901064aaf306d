"""Each step of a case has a limit for the statements that it takes."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from applications.choices import Bureau
from applications.models import LoanApplication
from lending.choices import Outcome
from lending.services import policy_current
from lending.underwriting import Report
from reviews.choices import TaskKind
from reviews.services import decisions
from tests import casework
from workflows.callbacks import pending
from workflows.steps import credit, fraud, offer, payout, review, risk, validation

pytestmark = pytest.mark.django_db
SAVEPOINTS = ("SAVEPOINT", "RELEASE")  # where a test's transaction stands for that of a service


def cost(step: Callable[[], object]) -> int:
    """Run a step once; returns how many statements it took."""
    with CaptureQueriesContext(connection) as ran:
        step()
    return sum(not query["sql"].startswith(SAVEPOINTS) for query in ran.captured_queries)


def test_each_step_of_a_case_with_a_manager_costs_a_bounded_number_of_statements(
    officer: User, manager: User
) -> None:
    policy_current()  # each process reads a version once
    manager.get_all_permissions()
    found: list[LoanApplication] = []
    spent = {"submit": cost(lambda: found.append(casework.submit(officer)))}
    (application,) = found
    run = casework.run_of(application)
    report = Report(780, 0)

    def opened(name: str) -> None:
        assert review.review_open(run, TaskKind.MANAGER_APPROVAL, callback_id=name) is True

    spent["validate"] = cost(lambda: validation.validation_record(run))
    for bureau in Bureau:
        spent[bureau] = cost(
            lambda bureau=bureau: credit.credit_report_record(
                run, bureau=bureau, report=report, bureau_reference="R"
            )
        )
    spent["risk"] = cost(lambda: risk.risk_record(run))
    spent["open"] = cost(lambda: opened("M"))
    task = application.review_tasks.get()
    spent["decide"] = cost(
        lambda: decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    )
    application.refresh_from_db()
    until = application.submitted_at
    assert until is not None
    spent["ask fraud check"] = cost(
        lambda: fraud.fraud_check_open(run, callback_id="F", number=1, until=until)
    )
    spent["fraud answer"] = cost(
        lambda: pending.callback_receive(callback_id="F", answer={"result": "passed"})
    )
    spent["begin offer"] = cost(lambda: offer.offer_begin(run))
    spent["make offer"] = cost(lambda: casework.make_offer(run))
    spent["request payout"] = cost(lambda: payout.disbursement_request(run))
    spent["settle"] = cost(lambda: payout.disbursement_settle(run, rail_reference="R"))

    most = {
        "submit": 11,
        "validate": 4,
        **dict.fromkeys(Bureau, 3),
        "risk": 5,
        "open": 10,
        "decide": 14,
        "ask fraud check": 5,
        "fraud answer": 4,
        "begin offer": 7,
        "make offer": 7,
        "request payout": 8,
        "settle": 4,
    }
    assert {name: n for name, n in spent.items() if n > most[name]} == {}, spent
    application.refresh_from_db()
    assert application.status == "funded"
