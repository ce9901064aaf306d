"""Case 18: a day that an applicant is promised is the whole day, and everything names that day."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from pypdf import PdfReader

from applications.models import LoanApplication, LoanOffer
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from tests import casework
from tests.applications.admin.conftest import Login, page
from tests.hard_cases.clock import Clock
from tests.partners.api.calls import Caller, assert_problem, path
from tests.sizes import some
from workflows.models import PendingCallback
from workflows.outbox.emails import build_email
from workflows.outbox.task_letters import Notice
from workflows.review_deadlines import pass_deadlines
from workflows.steps import review

pytestmark = pytest.mark.django_db
# The times of day at which an offer's date was another one in the letter than in the e-mail, two
# zones, one far from UTC on each side, and offers whose clocks change before they end.
MADE = [
    pytest.param(zone, datetime.fromisoformat(f"{day}T{hour}"), id=f"{zone} {day} {hour}")
    for zone in ("America/Toronto", "Pacific/Auckland", "UTC")
    for day, hour in (
        ("2026-12-01", "20:30"),
        ("2026-10-25", "00:30"),
        ("2026-03-05", "20:30"),
        ("2026-09-20", "00:30"),
    )
]


def offered(partner: Partner) -> LoanApplication:
    casework.change_policies(offer_acceptance_required=True)
    application = casework.offered(None, partner=partner)
    casework.ask(application, TaskKind.OFFER_ACCEPTANCE)
    return application


def letter_of(offer: LoanOffer) -> str:
    assert offer.letter is not None
    with offer.letter.file.open() as file:
        first = PdfReader(BytesIO(file.read())).pages[0]
    return " ".join(first.extract_text().split())


@pytest.mark.long
@pytest.mark.parametrize(("zone", "made"), some(MADE, of=3))
def test_letter_mail_page_api_and_deadline_name_the_same_day(
    zone: str,
    made: datetime,
    api: Caller,
    login: Login,
    officer: User,
    partner: Partner,
    clock: Clock,
    settings: Any,
) -> None:
    settings.TIME_ZONE = zone
    clock.now = made.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    application = offered(partner)
    offer, task = LoanOffer.objects.get(), ReviewTask.objects.get()
    letter = letter_of(offer)
    asked = build_email({"task": task.pk, "notice": Notice.OPENED.value})

    last: date = made.date() + timedelta(days=14)
    words = f"{last.day} {last:%B %Y}"
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), tzinfo=ZoneInfo(zone))
    assert end.astimezone(UTC) - offer.expires_at == timedelta(microseconds=1)
    assert f"This offer stands until the end of {words}." in letter
    assert asked is not None
    assert asked.to == [application.email]
    assert f"Please accept or decline it by the end of {words}." in asked.body
    assert zone in asked.body
    assert zone in letter
    assert task.expires_at == PendingCallback.objects.get(review_task=task).expires_at - timedelta(
        seconds=settings.LOANOFFICE_DELIVERY_GRACE.total_seconds()
    )
    assert task.expires_at == application.waiting_until == offer.expires_at
    found = api.get(path(application.reference)).json()
    assert found["waiting_on"]["until"] == found["offer"]["expires_at"]
    shown = datetime.fromisoformat(found["offer"]["expires_at"])
    assert shown == offer.expires_at
    assert shown.astimezone(ZoneInfo(zone)).date() == last
    html = login(officer).get(page("change", application)).content.decode()
    assert f"{words} 23:59" in html
    assert zone in html


@pytest.mark.parametrize("answer", ["offer/accept/", "offer/decline/"])
def test_answer_in_the_last_second_of_the_day_counts_and_in_the_first_of_the_next_does_not(
    api: Caller, partner: Partner, clock: Clock, answer: str
) -> None:
    clock.now = datetime(2026, 12, 2, 1, 30, tzinfo=UTC)  # 20:30 on the first in Toronto
    in_time = offered(partner)
    clock.now = datetime(2026, 12, 16, 4, 59, 59, tzinfo=UTC)
    assert api.post(path(in_time.reference, answer)).status_code == 200
    assert not ReviewDecision.objects.get().late

    clock.now = datetime(2026, 12, 2, 1, 30, tzinfo=UTC)
    too_late = offered(partner)
    clock.now = datetime(2026, 12, 16, 5, tzinfo=UTC)
    problem = assert_problem(api.post(path(too_late.reference, answer)), 409, "decision-expired")
    assert "2026-12-16T04:59:59Z" in problem["detail"]
    assert ReviewDecision.objects.filter(late=True).count() == 1


def test_sweep_ends_the_wait_with_the_day_and_not_before(partner: Partner, clock: Clock) -> None:
    clock.now = datetime(2026, 12, 2, 1, 30, tzinfo=UTC)
    offered(partner)
    clock.now = datetime(2026, 12, 16, 4, 59, 59, tzinfo=UTC)
    assert pass_deadlines(now=clock.now)["expired"] == 0
    clock.now = datetime(2026, 12, 16, 5, tzinfo=UTC)
    assert pass_deadlines(now=clock.now)["expired"] == 1


def test_offer_that_is_asked_about_again_keeps_its_day(partner: Partner, clock: Clock) -> None:
    clock.now = datetime(2026, 12, 2, 1, 30, tzinfo=UTC)
    application = offered(partner)
    before = ReviewTask.objects.get().expires_at
    ReviewTask.objects.update(status="cancelled", closed_at=clock.now)
    clock.now += timedelta(days=3)
    assert review.review_open(
        casework.run_of(application),
        TaskKind.OFFER_ACCEPTANCE,
        operation="open_offer_acceptance-2",
        callback_id="another",
    )
    assert ReviewTask.objects.latest("number").expires_at == before
