"""The page of a case and the part of it that keeps itself up to date."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client

from applications.models import Document, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import Login, page
from workflows import handover
from workflows.operations import application_restart
from workflows.steps import offer, payout, review

# Application, session, user, two of permissions, last event, two of the workflow.
CHEAP = 9
WHOLE = 32  # three of them who can decide it now; its e-mails, notes and questions


@pytest.fixture
def funded(officer: User) -> LoanApplication:
    application = casework.submit(officer, loan_amount=20_000)
    casework.assess(application)
    run = casework.run_of(application)
    casework.pass_fraud_check(application)
    offer.offer_begin(run)
    casework.make_offer(run)
    payout.disbursement_request(run)
    payout.disbursement_settle(run, rail_reference="RAIL-1")
    application.refresh_from_db()
    return application


def states(client: Client, application: LoanApplication) -> dict[str, str]:
    steps = client.get(page("live", application)).context["page"].steps
    return {shown.step.value: shown.state.value for shown in steps}


def test_waiting_case_shows_who_it_waits_for_and_until_when(
    login: Login, auditor: User, waiting: LoanApplication
) -> None:
    html = login(auditor).get(page("change", waiting)).content.decode()

    assert "Waiting for the <strong>manager</strong>. Due <time" in html
    assert ">tomorrow " in html
    assert "150,000.00" in html
    for sentence in ("Equifax: score 782, a clean record.", "Prime", "Waiting for a manager"):
        assert sentence in html


def test_steps_of_a_waiting_case(login: Login, auditor: User, waiting: LoanApplication) -> None:
    found = states(login(auditor), waiting)

    assert found["risk_assessment"] == "done"
    assert found["manager_approval"] == "current"
    assert found["disbursing"] == "ahead"
    assert "offer_acceptance" not in found


def test_steps_of_a_funded_case_skip_the_manager(
    login: Login, auditor: User, funded: LoanApplication
) -> None:
    found = states(login(auditor), funded)

    assert found.pop("manager_approval") == "skipped"
    assert set(found.values()) == {"done"}


def test_steps_of_the_attempt_before_are_not_done_after_a_restart(
    login: Login, auditor: User, operations: User, waiting: LoanApplication
) -> None:
    handover.needs_attention(casework.run_of(waiting), sentence="The engine lost it.")
    restarted = application_restart(reference=waiting.reference, user=operations, reason="Again.")

    found = states(login(auditor), restarted)

    assert found.pop("submitted") == "current"
    assert set(found.values()) == {"ahead"}


def test_step_where_a_case_was_declined_is_marked(
    login: Login, auditor: User, officer: User
) -> None:
    application = casework.submit(officer, sin_last4="3333", loan_amount=26_000)
    casework.assess(application)

    found = states(login(auditor), application)

    assert found["risk_assessment"] == "failed"
    assert found["fraud_check"] == "skipped"
    html = login(auditor).get(page("change", application)).content.decode()
    assert "The amount is above the largest loan for this credit tier." in html
    assert "AMOUNT_ABOVE_TIER_LIMIT" not in html


def test_acceptance_is_a_step_where_the_policy_asks_for_it(
    login: Login, auditor: User, waiting: LoanApplication
) -> None:
    casework.change_policies(offer_acceptance_required=True)

    assert states(login(auditor), waiting)["offer_acceptance"] == "ahead"


def test_funded_case_shows_offer_schedule_payout_and_letter(
    login: Login, manager: User, funded: LoanApplication
) -> None:
    html = login(manager).get(page("change", funded)).content.decode()

    offer = funded.offers.get()
    for shown in (
        offer.offer_id,
        f"{offer.monthly_payment:,.2f}",
        "<summary>Repayment schedule</summary>",
        "RAIL-1",
        f"{offer.offer_id}.pdf",
    ):
        assert shown in html
    assert html.count('<th scope="row" class="number" data-label="No.">') == 60
    assert 'data-live="off"' in html


def test_decisions_are_shown_with_who_and_why(
    login: Login, auditor: User, manager: User, waiting: LoanApplication
) -> None:
    decisions.task_decide(
        task=waiting.review_tasks.get(), user=manager, outcome=Outcome.DECLINE, reason="No <b>"
    )
    review.declined_on_review(casework.run_of(waiting), TaskKind.MANAGER_APPROVAL)

    html = login(auditor).get(page("change", waiting)).content.decode()

    assert "manager, <time" in html
    assert "No &lt;b&gt;" in html
    assert "MANAGER_DECLINED" not in html


# --- Live ---------------------------------------------------------------------------------


def test_live_answers_304_until_something_changes(
    login: Login, auditor: User, waiting: LoanApplication, officer: User
) -> None:
    client = login(auditor)
    first = client.get(page("live", waiting))
    known = {"If-None-Match": first.headers["ETag"]}

    again = client.get(page("live", waiting), headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]

    intake.application_edit(reference=waiting.reference, user=officer, phone="613-555-0142")
    changed = client.get(page("live", waiting), headers=known)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
    assert "Changed: phone." in changed.content.decode()


def test_every_kind_of_change_changes_the_etag(
    login: Login, officer: User, manager: User, senior: User
) -> None:
    application = casework.submit(officer, loan_amount=600_000)
    client = login(senior)
    seen: list[str] = []

    def look() -> None:
        seen.append(client.get(page("live", application)).headers["ETag"])

    look()
    casework.assess(application)
    look()
    task = casework.ask(application)
    look()
    decisions.task_decide(task=task, user=senior, outcome=Outcome.APPROVE)
    look()
    task.refresh_from_db()
    Document.objects.create(
        application=application, kind="other", key="1", original_name="x", size=1
    )
    assert len(set(seen)) == len(seen)


def test_live_of_two_people_differs(
    login: Login, auditor: User, manager: User, waiting: LoanApplication
) -> None:
    etags = {login(user).get(page("live", waiting)).headers["ETag"] for user in (auditor, manager)}

    assert len(etags) == 2


def test_poll_without_news_is_cheap_and_a_whole_page_is_bounded(
    login: Login, manager: User, waiting: LoanApplication, django_assert_max_num_queries: Any
) -> None:
    client = login(manager)
    with django_assert_max_num_queries(WHOLE):
        etag = client.get(page("live", waiting)).headers["ETag"]
    with django_assert_max_num_queries(CHEAP):
        client.get(page("live", waiting), headers={"If-None-Match": etag})
    # Two that note who looked; five for the ETag that the page begins to poll with, which spare
    # the whole page a second later.
    with django_assert_max_num_queries(WHOLE + 2 + 5):
        client.get(page("change", waiting))


def test_queries_of_a_page_do_not_grow_with_its_history(
    login: Login, auditor: User, funded: LoanApplication, django_assert_max_num_queries: Any
) -> None:
    client = login(auditor)

    with django_assert_max_num_queries(WHOLE):
        client.get(page("live", funded))


def test_live_of_an_unknown_case_is_404_and_post_is_refused(
    login: Login, auditor: User, waiting: LoanApplication
) -> None:
    client = login(auditor)

    assert client.get("/admin/applications/loanapplication/999999/live/").status_code == 404
    assert client.post(page("live", waiting)).status_code == 405


# --- Documents ----------------------------------------------------------------------------


def test_letter_is_downloaded_and_never_shown_in_the_page(
    login: Login, manager: User, funded: LoanApplication
) -> None:
    letter = funded.documents.get()

    answer = login(manager).get(page("document", funded, letter.pk))

    content = b"".join(answer.streaming_content)
    answer.close()
    assert content.startswith(b"%PDF")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{letter}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_document_of_another_case_a_missing_file_and_no_right_are_refused(
    login: Login,
    manager: User,
    make_user: Any,
    funded: LoanApplication,
    waiting: LoanApplication,
) -> None:
    letter = funded.documents.get()

    assert login(manager).get(page("document", waiting, letter.pk)).status_code == 404
    nobody = login(make_user("nobody"))
    assert nobody.get(page("document", funded, letter.pk)).status_code == 403
    letter.file.storage.delete(letter.file.name)
    assert login(manager).get(page("document", funded, letter.pk)).status_code == 404


def test_html_that_somebody_brought_is_a_download_too(
    login: Login, manager: User, waiting: LoanApplication
) -> None:
    document = Document(
        application=waiting,
        kind=Document.Kind.OTHER,
        key="1",
        original_name='a"b\u00e9.html',
        content_type="text/html",
        size=1,
    )
    document.file.save("evil.html", ContentFile(b"<script>1</script>"), save=True)

    answer = login(manager).get(page("document", waiting, document.pk))

    answer.close()
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    document.file.delete(save=False)
