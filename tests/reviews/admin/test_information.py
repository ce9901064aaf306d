"""Send back and answer in the admin: who sees what, the forms, the lists, the figures."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from applications.models import LoanApplication
from audit.times import instant
from lending.choices import Outcome
from partners.models import Partner
from reviews.models import InformationRequest, ReviewDecision, ReviewTask
from reviews.services import decisions
from reviews.services.information import information_answer, information_ask
from tests import casework
from tests.applications.admin.conftest import LIST, Login, decide_page, page, said
from tests.reviews.admin.bulk_forms import choose
from tests.reviews.admin.test_bulk_groups import groups, refer, ticked
from tests.reviews.admin.test_my_approvals import FROM_LIST, MINE, rows
from tests.reviews.services.questions import ANSWER, QUESTION, status
from tests.sent_forms import AGAIN, browser, open_form

pytestmark = pytest.mark.django_db


def send_back(task: ReviewTask) -> str:
    return page("send_back", task.application, task.pk)


def answer(request: InformationRequest) -> str:
    return page("answer", request.task.application, request.pk)


def text(client: Client, address: str) -> str:
    html: str = client.get(address).content.decode()
    return html


# --- Ask ------------------------------------------------------------------------------------------


def test_row_decision_page_and_application_lead_to_the_question_and_back(
    login: Login, task: ReviewTask, manager: User
) -> None:
    client = login(manager)
    (row,) = rows(client)
    link = f'href="{send_back(task)}{FROM_LIST}" data-key="s">Send back'
    assert row.index('data-key="d"') < row.index(link)
    from_list = text(client, decide_page(task.application, "approve") + FROM_LIST)
    assert f'id="press-send-back" href="{send_back(task)}{FROM_LIST}"' in from_list
    html = text(client, page("change", task.application))
    assert f'id="press-send-back" href="{send_back(task)}"' in html
    form = text(client, send_back(task) + FROM_LIST)
    assert "Your question goes to officer." in form
    assert f'href="{MINE}">Cancel</a>' in form

    done = client.post(send_back(task) + FROM_LIST, {"message": QUESTION})

    assert done.url == MINE
    assert said(done) == [
        f"{task.application.reference} is sent back with your question. "
        "You are notified of the answer."
    ]
    assert InformationRequest.objects.get().message == QUESTION
    for address in (
        MINE,
        page("change", task.application),
        decide_page(task.application, "approve"),
    ):
        assert "/send-back/" not in text(client, address)


def test_question_is_required_and_stays_typed_when_somebody_was_first(
    login: Login, task: ReviewTask, manager: User, other: User
) -> None:
    client = login(manager)
    empty = client.post(send_back(task), {"message": " "})
    assert empty.context["form"].errors["message"]
    decisions.task_decide(task=task, user=other, outcome=Outcome.APPROVE)

    late = client.post(send_back(task), {"message": QUESTION})

    assert late.status_code == 409
    html = late.content.decode()
    assert QUESTION in html
    assert "already decided (approve) by manager2" in html
    assert client.get(send_back(task)).url == page("change", task.application)


def test_form_sent_twice_asks_once(task: ReviewTask, manager: User) -> None:
    client = browser(manager)
    form = open_form(client, send_back(task), {"message": QUESTION})
    client.post(send_back(task), form)
    again = client.post(send_back(task), form)
    assert AGAIN in said(again)
    assert InformationRequest.objects.count() == 1


def test_only_deciders_are_offered_the_question_and_only_officers_the_answer(
    login: Login,
    waiting: LoanApplication,
    asked: InformationRequest,
    make_user: Callable[..., User],
) -> None:
    other = casework.waiting_for_manager(make_user("officer2", Role.LOAN_OFFICER))
    people = {role: make_user(f"a_{role.key}", role) for role in Role}
    seen = {role: text(login(user), page("change", other)) for role, user in people.items()}
    assert [role for role, html in seen.items() if 'id="press-send-back"' in html] == [
        Role.MANAGER,
        Role.SENIOR_MANAGER,
    ]
    seen = {role: text(login(user), page("change", waiting)) for role, user in people.items()}
    assert [role for role, html in seen.items() if 'id="press-answer"' in html] == [
        Role.LOAN_OFFICER
    ]
    assert all(QUESTION in html for html in seen.values())
    refused = login(people[Role.AUDITOR]).post(answer(asked), {"answer": ANSWER})
    assert refused.status_code == 403
    assert status(asked) == "open"


# --- Answer ---------------------------------------------------------------------------------------


def test_application_says_who_it_waits_for_and_takes_the_answer_in_place(
    login: Login, waiting: LoanApplication, asked: InformationRequest, officer: User, manager: User
) -> None:
    client = login(officer)
    html = text(client, page("change", waiting))
    head = html.partition('id="application-sent-back"')[2].partition("</p>")[0]
    assert "waiting for an answer of <strong>officer</strong> since" in head
    assert 'href="#id_answer"' in head
    assert '<textarea name="answer"' in html
    assert 'id="id_answer"' in html
    assert f'action="{answer(asked)}"' in html

    done = client.post(answer(asked), {"answer": ANSWER})

    assert done.url == page("change", waiting)
    assert said(done) == ["Your answer is saved, and manager is notified of it."]
    html = text(login(manager), page("change", waiting))
    assert "application-sent-back" not in html
    head = html.partition('id="application-answered"')[2].partition("</p>")[0]
    assert "Answered</span> by <strong>officer</strong>" in head
    assert 'href="#question"' in head
    assert html.count('id="question"') == 1
    for words in (QUESTION, ANSWER):
        panel, _, log = html.partition('id="application-log"')
        assert words in panel
        assert words in log
    assert ANSWER in text(login(manager), decide_page(waiting, "approve"))


def test_answer_that_comes_too_late_stays_in_the_form(
    login: Login, asked: InformationRequest, officer: User, other: User
) -> None:
    decisions.task_decide(task=asked.task, user=other, outcome=Outcome.APPROVE)

    late = login(officer).post(answer(asked), {"answer": ANSWER})

    assert late.status_code == 409
    html = late.content.decode()
    assert ANSWER in html
    asked.refresh_from_db()
    assert asked.cancelled_at is not None
    assert f"ended at {instant(asked.cancelled_at)}" in html


# --- Lists ----------------------------------------------------------------------------------------


def test_row_says_where_the_question_stands_in_as_many_statements(
    login: Login, task: ReviewTask, manager: User, officer: User
) -> None:
    client = login(manager)
    counted = []

    def row() -> str:
        with CaptureQueriesContext(connection) as ran:
            (found,) = rows(client)
        counted.append(len(ran))
        return found

    assert "Sent back" not in row()
    request = information_ask(task=task, user=manager, message=QUESTION)
    assert "Sent back</span> waiting for an answer since <time" in row()
    information_answer(request=request, user=officer, answer=ANSWER)
    answered = row()
    assert ">Answered</span> <time" in answered
    assert 'data-key="s"' in answered
    assert len(set(counted)) == 1
    assert not ReviewDecision.objects.exists()


def test_list_offers_to_show_a_row_whose_question_was_answered(
    login: Login, asked: InformationRequest, manager: User, officer: User
) -> None:
    client = login(manager)
    answers = {}
    for name in (MINE, LIST):
        shown = client.get(name).context["list_shown"]
        answers[name] = lambda name=name, shown=shown: client.get(
            name, headers={"List-Shown": shown}
        )
        assert "List-Changed" not in answers[name]()
    information_answer(request=asked, user=officer, answer=ANSWER)
    for ask in answers.values():
        assert ask()["List-Changed"] == "yes"


def test_bulk_preview_has_what_was_sent_back_in_a_group_of_its_own_unticked(
    login: Login, cases: list[LoanApplication], manager: User, other: User
) -> None:
    refer(cases[1])
    refer(cases[2])
    for case in cases[2:]:
        information_ask(task=case.review_tasks.get(), user=other, message=QUESTION)

    preview = choose(login(manager), "approve", cases)

    found = groups(preview)
    assert list(found) == ["ordinary", "referred", "sent-back"]
    assert [each.row.application for each in found["sent-back"].rows] == cases[2:]
    assert len(ticked(preview)) == 1
    assert "A decision ends it." in preview.content.decode()


def test_figure_of_the_front_page_leads_to_the_applications_that_i_am_asked_about(
    login: Login, officer: User, manager: User, partner: Partner, make_user: Callable[..., User]
) -> None:
    officer2 = make_user("officer2", Role.LOAN_OFFICER)
    mine, by_partner, theirs = (
        casework.waiting_for_manager(officer),
        casework.waiting_for_manager(None, partner=partner),
        casework.waiting_for_manager(officer2),
    )
    casework.waiting_for_manager(officer)
    for case in (mine, by_partner, theirs):
        information_ask(task=case.review_tasks.get(), user=manager, message=QUESTION)

    def listed(client: Client, which: str) -> set[LoanApplication]:
        return set(client.get(f"{LIST}?sent_back={which}").context["cl"].result_list)

    for user, expected in ((officer, {mine, by_partner}), (officer2, {theirs, by_partner})):
        client = login(user)
        assert client.get("/admin/").context["dashboard"].own.sent_back == 2
        assert 'href="/admin/applications/loanapplication/?sent_back=mine"' in text(
            client, "/admin/"
        )
        assert listed(client, "mine") == expected
    assert listed(login(manager), "open") == {mine, by_partner, theirs}
    assert listed(login(manager), "mine") == set()
    html = text(login(manager), f"{LIST}?sent_back=open")
    assert html.count('<span class="badge tone-wait">Sent back</span>') == 3


def test_list_of_applications_costs_one_statement_more_for_what_was_sent_back(
    login: Login, cases: list[LoanApplication], manager: User, other: User
) -> None:
    client = login(manager)
    counted = []
    for case in (None, *cases[:2]):
        if case is not None:
            information_ask(task=case.review_tasks.get(), user=other, message=QUESTION)
        with CaptureQueriesContext(connection) as ran:
            client.get(LIST)
        counted.append([each["sql"] for each in ran.captured_queries])
    assert len({len(each) for each in counted}) == 1
    assert sum('"sent_back_at" IS NOT NULL' in sql for sql in counted[0]) == 1
