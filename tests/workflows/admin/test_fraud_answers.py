"""The pages of a flagged application say what the fraud check said."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.models import LoanApplication
from reviews.choices import TaskKind
from tests import casework
from tests.applications.admin.conftest import decide_page, page
from tests.workflows.callbacks.conftest import path_of, vendor
from tests.workflows.callbacks.vendor import FLAGGED, accepted, send

__all__ = ["vendor"]
pytestmark = pytest.mark.django_db
SAID = {**FLAGGED, "score": 871, "reasons": ["Two addresses", "<b>New</b> account"]}


def flagged(officer: User, **fields: Any) -> LoanApplication:
    application = casework.submit(officer, **fields)
    casework.assess(application)
    return application


def seen_by(user: User, *addresses: str) -> list[str]:
    client = Client()
    client.force_login(user)
    return [client.get(address).content.decode() for address in addresses]


@pytest.mark.usefixtures("vendor")
def test_analyst_reads_verdict_score_and_reasons(officer: User, analyst: User) -> None:
    application = flagged(officer)
    casework.ask_fraud_check(application, callback_id="F")
    accepted(send(path_of("F"), SAID))
    task = casework.ask(application, TaskKind.FRAUD_REVIEW)

    for html in seen_by(
        analyst, page("change", application), decide_page(task.application, "approve")
    ):
        said = html.partition('id="panel-fraud"')[2].partition("</section>")[0]
        assert "Flagged</span>" in said
        assert "871 of 1,000" in said
        assert "<li>Two addresses</li>" in said
        assert "<li>&lt;b&gt;New&lt;/b&gt; account</li>" in said


def test_flag_without_score_and_reasons_says_so(officer: User, analyst: User) -> None:
    application = flagged(officer)
    casework.pass_fraud_check(application, "flagged")
    task = casework.ask(application, TaskKind.FRAUD_REVIEW)

    for html in seen_by(
        analyst, page("change", application), decide_page(task.application, "approve")
    ):
        said = html.partition('id="panel-fraud"')[2].partition("</section>")[0]
        assert "Flagged</span>" in said
        assert "It gave no score and no reasons." in said


def test_page_before_the_check_has_no_such_panel(officer: User, manager: User) -> None:
    task = casework.waiting_for_manager(officer).review_tasks.get()
    for html in seen_by(
        manager, page("change", task.application), decide_page(task.application, "approve")
    ):
        assert 'id="panel-fraud"' not in html
