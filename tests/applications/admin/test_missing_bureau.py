"""A bureau that did not answer, on the page of the application."""

import re

import pytest
from django.contrib.auth.models import User

from applications.choices import Bureau
from applications.models import CreditReport, LoanApplication, RiskAssessment
from lending.underwriting import Report
from tests import casework
from tests.applications.admin.conftest import Login, page
from tests.casework import arn_of, run_of
from workflows import executions
from workflows.steps import credit, risk, validation

pytestmark = pytest.mark.django_db
SCORES = {Bureau.EQUIFAX: 739, Bureau.TRANSUNION: 740}


@pytest.fixture
def assessed(officer: User) -> LoanApplication:
    """Assess an application without Experian; the mean of the others is 739.50."""
    application = casework.submit(officer)
    run = run_of(application)
    executions.execution_running(run, arn=arn_of(run.name))
    validation.validation_record(run)
    for bureau, score in SCORES.items():
        credit.credit_report_record(
            run, bureau=bureau, report=Report(score, 0), bureau_reference="R"
        )
    risk.risk_record(run)
    return application


def test_missing_bureau_is_a_row_and_the_step_has_no_tick(
    login: Login, manager: User, assessed: LoanApplication
) -> None:
    html = login(manager).get(page("change", assessed)).text

    row = html.partition('<tr class="no-report">')[2].partition("</tr>")[0]
    assert "Experian" in row
    assert "no answer after 3 tries" in row
    assert html.count('<tr class="no-report">') == 1
    step = re.search(
        r'<li class="step step-(\w+)"><span[^>]*></span><span class="step-label">'
        r'Credit check</span> <span class="step-state">([^<]*)',
        html,
    )
    assert step is not None
    assert step.groups() == ("incomplete", "without Experian")
    assert "Average score</dt><dd>739.50<" in html


def test_assessment_keeps_the_exact_sum_and_count_and_the_rounded_mean(
    assessed: LoanApplication,
) -> None:
    found = RiskAssessment.objects.get()

    assert (found.score_sum, found.score_count) == (1479, 2)
    assert (found.average_score, found.tier) == (740, "near_prime")
    assert found.missing_bureaus == ["experian"]


def test_whole_set_of_reports_has_no_such_row_and_a_tick(
    login: Login, manager: User, waiting: LoanApplication
) -> None:
    html = login(manager).get(page("change", waiting)).text

    assert CreditReport.objects.count() == len(Bureau)
    assert "no-report" not in html
    assert "step-incomplete" not in html
