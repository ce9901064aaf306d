"""My approvals: what a row says, where it leads, and the way from one decision to the next."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import LoanApplication, RiskAssessment
from core.admin.row_actions import row_url
from lending.choices import ReasonCode, Tier
from reviews.admin.figures import figures
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.services.claims import task_claim
from tests import casework
from tests.applications.admin.conftest import Login, decide_page, page, said
from tests.sent_forms import AGAIN, browser, open_form

pytestmark = pytest.mark.django_db
MINE = "/admin/reviews/reviewtask/?mine=yes"
FROM_LIST = f"?_changelist_filters={quote('mine=yes', safe='')}"


def rows(client: Client) -> list[str]:
    """The HTML of each row."""
    html = client.get(MINE).content.decode()
    return html.partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")[:-1]


def set_due(application: LoanApplication, **ago: float) -> None:
    application.review_tasks.update(due_at=timezone.now() + timedelta(seconds=30, **ago))


def approve(client: Client, application: LoanApplication, **more: str) -> Any:
    address = decide_page(application, "approve") + FROM_LIST
    return client.post(address, {"version": application.version, **more})


def link_to(application: LoanApplication, outcome: str = "approve") -> str:
    url = decide_page(application, outcome) + FROM_LIST
    return f'<a href="{url}" class="next-one">{application.reference}</a>'


# --- What a row says ------------------------------------------------------------------------------


def test_row_leads_to_the_application_and_to_both_decisions(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    (row,) = rows(login(manager))

    assert row.index(f'<a href="{row_url(waiting)}">{waiting.reference}') < row.index("Approve")
    for outcome in ("approve", "decline"):
        assert f'href="{decide_page(waiting, outcome)}{FROM_LIST}"' in row
    assert "/admin/reviews/reviewtask/" not in row
    assert "Alice Johnson, by officer" in row


def test_row_says_why_the_grade_the_instalment_and_when_it_is_due(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    set_due(waiting, hours=3)
    client = login(manager)

    (row,) = rows(client)

    assert "Amount at or over the threshold" in row
    assert 'Prime <span class="quiet">780.67</span>' in row
    assert "2,847.90" in row
    assert ">in 3 hours</time>" in row
    set_due(waiting, days=-2, minutes=-1)
    assert "2 days late</time></span>" in rows(client)[0]


def test_share_of_income_is_a_band_until_the_income_was_revealed(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    assert "30 to 61 % of income" in rows(client)[0]  # of the estimated payment 80 to 160 %
    assert "40.21 %" not in rows(client)[0]

    client.post(page("reveal", waiting))

    assert "40.21 % of income" in rows(client)[0]  # 2,847.90 of 85,000 / 12


def test_row_that_somebody_else_claimed_names_them_and_has_no_links(
    login: Login, waiting: LoanApplication, manager: User, other: User
) -> None:
    task_claim(task=waiting.review_tasks.get(), user=other)

    (theirs,), (mine,) = rows(login(manager)), rows(login(other))

    for row in (theirs, mine):
        assert '<span class="badge tone-info">manager2</span>' in row
    assert "/decide/" not in theirs
    assert mine.count("/decide/") == 2


def test_list_of_all_tasks_leads_to_applications_and_decides_nothing(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    html = login(manager).get("/admin/reviews/reviewtask/").content.decode()

    assert f'<a href="{row_url(waiting)}">{waiting.reference}' in html
    assert "/decide/" not in html
    assert 'id="list-keys"' not in html


@pytest.mark.parametrize(
    ("codes", "missing", "words", "is_referral"),
    [
        (["AMOUNT_AT_THRESHOLD"], [], "Amount at or over the threshold", False),
        (["FRAUD_SUSPECTED"], [], "Fraud flag", False),
        (
            ["BUREAU_UNAVAILABLE", "AMOUNT_AT_THRESHOLD"],
            ["experian", "equifax"],
            "Referred: no report from Experian and Equifax; Amount at or over the threshold",
            True,
        ),
        (["INCOME_NOT_STATED"], [], "Referred: income not stated", True),
        (["OF_ANOTHER_RELEASE"], [], "Its own {sentence}.", True),
        ([], [], "Manager approval", False),
    ],
)
def test_reasons_are_said_in_a_few_words(
    codes: list[str], missing: list[str], words: str, is_referral: bool
) -> None:
    application = LoanApplication(loan_amount=Decimal(30_000), annual_income=None)
    task = ReviewTask(
        application=application,
        kind=TaskKind.MANAGER_APPROVAL,
        reasons=[{"code": code, "text": "Its own {sentence}."} for code in codes],
    )
    assessment = RiskAssessment(
        tier=Tier.PRIME, annual_rate=Decimal("5.25"), missing_bureaus=missing
    )

    found = figures(task, assessment, income_shown=False)

    assert "; ".join(found.why) == words
    assert found.is_referral is is_referral
    assert (found.instalment, found.share) == (Decimal("569.58"), "income not stated")


def test_every_reason_to_ask_has_its_words() -> None:
    """The others are reasons of a decision that a person gave, or to decline without asking."""
    never_asked = {
        *("INSTALMENT_TOO_SMALL", "INVALID_APPLICATION", "MANAGER_DECLINED", "OFFER_DECLINED"),
    }
    for code in set(ReasonCode) - {ReasonCode(name) for name in never_asked}:
        reasons = [{"code": code.value, "text": "Not this."}]
        task = ReviewTask(kind=TaskKind.MANAGER_APPROVAL, reasons=reasons)
        assert figures(task, None, income_shown=False).why != ("Not this.",), code


# --- From one to the next -------------------------------------------------------------------------


@pytest.fixture
def four(cases: list[LoanApplication]) -> list[LoanApplication]:
    """Due one after the other."""
    for number, case in enumerate(cases):
        set_due(case, hours=number)
    return cases


def test_decision_from_the_list_returns_to_it_and_names_the_next(
    login: Login, four: list[LoanApplication], manager: User
) -> None:
    answer = approve(login(manager), four[1])

    assert answer.url == MINE
    assert said(answer) == [
        f"Manager approval of {four[1].reference}: approved. Next: {link_to(four[2])} (3 left)."
    ]


def test_after_the_last_of_the_list_its_first_is_next(
    login: Login, four: list[LoanApplication], manager: User, other: User
) -> None:
    task_claim(task=four[0].review_tasks.get(), user=other)

    (sentence,) = said(approve(login(manager), four[3]))

    assert f"Next: {link_to(four[1])} (2 left)." in sentence


def test_next_opens_the_same_decision_of_the_next(
    login: Login, four: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    address = decide_page(four[0], "decline") + FROM_LIST
    assert "Decline and go to the next (3 left)" in client.get(address).content.decode()

    answer = client.post(
        address, {"version": four[0].version, "reason": "Not verified.", "next": "yes"}
    )

    assert answer.url == decide_page(four[1], "decline") + FROM_LIST
    assert said(answer) == [f"Manager approval of {four[0].reference}: declined. 3 left."]
    assert ReviewDecision.objects.get().task.application == four[0]


def test_decision_page_leads_back_to_the_list_with_its_filters_and_to_the_other_decision(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    carried = quote("mine=yes&kind__exact=manager_approval", safe="")
    opened = f"?_changelist_filters={carried}"

    html = login(manager).get(decide_page(waiting, "approve") + opened).content.decode()

    assert f'href="{MINE}&amp;kind__exact=manager_approval">Cancel</a>' in html
    other = decide_page(waiting, "decline").replace("&", "&amp;") + opened
    assert f'href="{other}">Decline instead</a>' in html
    assert 'name="next"' not in html  # there is no other to decide


@pytest.mark.parametrize("carried", ["", "mine=no", "https://example.com/", "status__exact=open"])
def test_decision_from_elsewhere_stays_with_the_application_and_names_the_next(
    login: Login, four: list[LoanApplication], manager: User, carried: str
) -> None:
    address = f"{decide_page(four[0], 'approve')}?_changelist_filters={quote(carried, safe='')}"

    answer = login(manager).post(address, {"version": four[0].version})

    assert answer.url == page("change", four[0])
    assert said(answer)[0].endswith(f"Next: {link_to(four[1])} (3 left).")


def test_form_sent_twice_decides_once_and_names_the_same_next(
    four: list[LoanApplication], manager: User
) -> None:
    client = browser(manager)
    address = decide_page(four[0], "approve") + FROM_LIST
    form = open_form(client, address, {"version": four[0].version, "reason": ""})
    first = said(client.post(address, form))

    again = client.post(address, form)

    assert again.url == MINE
    assert said(again)[-2:] == [AGAIN, *first]
    assert ReviewDecision.objects.count() == 1


def test_what_is_next_is_asked_only_for_a_button_that_leads_there(
    login: Login, four: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    asked = []
    for carried in ("", FROM_LIST):
        with CaptureQueriesContext(connection) as ran:
            client.get(decide_page(four[0], "approve") + carried)
        asked.append(sum('"due_at" ASC' in query["sql"] for query in ran.captured_queries))

    assert asked == [0, 1]


def test_analyst_reads_that_a_flag_is_theirs(login: Login, officer: User, analyst: User) -> None:
    flagged = casework.submit(officer, loan_amount=40_000)
    casework.assess(flagged)
    casework.ask(flagged, TaskKind.FRAUD_REVIEW)

    (row,) = rows(login(analyst))

    assert "Fraud flag" in row
    assert "Clear the flag" in row
