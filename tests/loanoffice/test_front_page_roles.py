"""The front page of each role: its own work first, and each figure leads to what it counts."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.roles import Role
from applications.choices import Status
from applications.services import access_log, intake
from audit.models import Action
from audit.services import entry_record
from lending.choices import Outcome
from lending.proposals import publication_propose
from reviews.choices import TaskKind
from reviews.services import decisions
from reviews.services.claims import task_claim
from reviews.services.information import information_ask
from tests import casework
from tests.lending.publishing import copy_in_force
from tests.loanoffice.test_dashboard import HOME, as_user, closed
from tests.workflows import trouble

pytestmark = pytest.mark.django_db
LINK = re.compile(r'<a (?P<attributes>[^>]*)href="(?P<href>[^"]+)"[^>]*>(?P<text>.*?)</a>', re.S)
MONEY = re.compile(r"([\d,]+\.\d\d) ([A-Z]{3})")
# A time, the one task that is due first, and a form.
UNCOUNTED = {"tile-median", "tile-first", "tile-new"}


def links(html: str) -> Iterator[tuple[str, str]]:
    """Address and text of each link that says how many rows there are, or how much they ask."""
    content = html.partition('id="content-main"')[2].partition('id="everything"')[0]
    for found in LINK.finditer(content):
        name = re.search(r'id="([^"]+)"', found["attributes"])
        text = " ".join(unescape(re.sub("<[^>]+>", " ", found["text"])).split())
        is_figure = "?" in found["href"] or "tile-figure" in found["text"]
        if is_figure and (name is None or name[1] not in UNCOUNTED):
            yield unescape(found["href"]), text


def differences(client: Client, href: str, text: str) -> list[str]:
    """Tell how the list at ``href`` differs from what the front page says of it."""
    answer = client.get(href)
    if answer.status_code != 200 or "cl" not in (answer.context or {}):
        return [f"{href} ({text}) is no list: {answer.status_code}"]
    listed = answer.context["cl"]
    money = MONEY.findall(text)
    plain = MONEY.sub("", text)
    number = re.search(r"(?<![\d.])\d[\d,]*(?![\d%.])", plain)
    wrong = ["says what it ignored"] if "does not offer" in answer.text else []
    if number is None and not money and not re.search(r"\b(no|none|nothing)\b", text, re.I):
        wrong.append("no figure")
    if number is not None and int(number[0].replace(",", "")) != listed.result_count:
        wrong.append(f"lists {listed.result_count}")
    if number is None and not money and listed.result_count:
        wrong.append(f"lists {listed.result_count}")
    sums: dict[str, Decimal] = {}
    for row in listed.queryset if money else ():
        of = getattr(row, "application", row)
        amount = getattr(row, "amount", getattr(of, "loan_amount", Decimal()))
        sums[of.currency] = sums.get(of.currency, Decimal()) + amount
    if money and sums != {unit: Decimal(each.replace(",", "")) for each, unit in money}:
        wrong.append(f"adds up to {sums}")
    return [f"{href} ({text}): {each}" for each in wrong]


@pytest.fixture
def people(
    officer: User,
    manager: User,
    analyst: User,
    operations: User,
    auditor: User,
    partner_manager: User,
    make_user: Callable[..., User],
) -> dict[str, User]:
    """Somebody of each role, with work for each."""
    others = {
        "senior": make_user("senior", Role.SENIOR_MANAGER),
        "policy": make_user("policy", Role.POLICY_OWNER),
        "admin": make_user("admin", is_superuser=True),
    }
    colleague = make_user("manager2", Role.MANAGER)
    author = make_user("officer2", Role.LOAN_OFFICER)
    intake.application_create(user=officer, **casework.ALICE)
    closed(officer, Status.FUNDED, took=timedelta(hours=1))
    closed(officer, Status.DECLINED, took=timedelta(hours=2), days_ago=8)
    casework.waiting_for_manager(officer)
    claimed = casework.waiting_for_manager(author, loan_amount=120_000)
    task_claim(task=claimed.review_tasks.get(), user=colleague)
    decided = casework.waiting_for_manager(author, loan_amount=130_000)
    decisions.task_decide(
        task=decided.review_tasks.get(), user=manager, outcome=Outcome.DECLINE, reason="Too much."
    )
    voided = casework.waiting_for_manager(officer, loan_amount=600_000)
    decisions.task_decide(
        task=voided.review_tasks.get(), user=others["senior"], outcome=Outcome.APPROVE
    )
    intake.application_edit(reference=voided.reference, user=officer, phone="613-555-0177")
    asked = casework.waiting_for_manager(officer, loan_amount=140_000)
    information_ask(task=asked.review_tasks.get(), user=colleague, message="Net or gross?")
    flagged = casework.submit(officer, loan_amount=12_000)
    casework.assess(flagged)
    casework.ask(flagged, TaskKind.FRAUD_REVIEW)
    trouble.stuck(author)
    trouble.payout_unknown(author)
    trouble.start_given_up(author)
    access_log.contact_reveal(application=voided, user=manager)
    entry_record(action=Action.EXPORTED, message="Exported the list.", actor=auditor)
    publication_propose(policy=copy_in_force(), user=others["policy"])
    return {
        "officer": officer,
        "manager": manager,
        "analyst": analyst,
        "operations": operations,
        "auditor": auditor,
        "partners": partner_manager,
        **others,
    }


FIRST = {
    "officer": "own",
    "manager": "waiting",
    "senior": "waiting",
    "analyst": "waiting",
    "operations": "stuck",
    "policy": "policies",
    "auditor": "seal",
    "partners": "partners",
    "admin": "administration",
}


@pytest.mark.long
def test_each_role_sees_its_own_work_first_and_each_figure_leads_to_what_it_counts(
    people: dict[str, User],
) -> None:
    wrong: list[str] = []
    compared: set[tuple[str, str]] = set()
    for name, user in people.items():
        client = as_user(user)
        html = client.get(HOME).text
        shown = re.findall(r'<(?:section|ul)[^>]* id="([a-z-]+)"', html)
        own = [each for each in shown if each in FIRST.values()]
        if own[0] != FIRST[name]:
            wrong.append(f"{name} sees {own[0]} first")
        for href, text in links(html):
            # What is the same for everybody is followed once.
            if (href, text) not in compared or "mine=" in href:
                wrong += [f"{name}: {each}" for each in differences(client, href, text)]
                compared.add((href, text))

    assert wrong == []
    assert len(compared) > 35
