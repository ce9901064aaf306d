"""Pages and actions of Operations in a real browser."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.roles import Role
from applications.choices import Status
from applications.services import intake
from lending.choices import Outcome
from reviews.services import decisions, delegation, tasks
from tests import casework
from tests.applications.admin.conftest import page as address
from tests.functions.engine_process import EngineProcess
from tests.sizes import some
from tests.workflows import trouble
from tests.workflows.lambda_stub import lambda_stub
from workflows import engine, incidents, operations
from workflows.models import Incident

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Picture = Callable[[Page, str], None]
INCIDENTS = "/admin/workflows/incident/"


@pytest.fixture
def people(make_user: Callable[..., User]) -> dict[str, User]:
    return {
        "root": make_user("root", *Role, is_superuser=True),
        "officer": make_user("officer", Role.LOAN_OFFICER),
        "manager": make_user("manager", Role.MANAGER),
        "senior": make_user("senior", Role.SENIOR_MANAGER),
        "operations": make_user("operations", Role.OPERATIONS),
    }


@pytest.fixture
def engine_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> Iterator[EngineProcess]:
    """A real engine that carries the test's cases once it is started."""
    process = EngineProcess(tmp_path)
    yield process
    process.stop()
    engine.forget_client()


def listen_to(process: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start it; the live server speaks to it from now on."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", process.url)
    engine.forget_client()
    process.start()


def test_operations_restarts_what_is_stuck_and_the_case_goes_on_to_be_funded(
    visit: Visit,
    people: dict[str, User],
    picture: Picture,
    engine_process: EngineProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    officer, manager = people["officer"], people["manager"]
    with lambda_stub(monkeypatch) as throttling:
        throttling.answers += [(429, "TooManyRequestsException")] * 3
        lost = trouble.answer_given_up(officer, manager)
    made = [
        trouble.stuck(officer, sin_last4="3333", loan_amount=25_000),
        trouble.payout_unknown(officer),
        trouble.expired_then_approved(officer, manager),
        trouble.stuck(officer),
        lost,
    ]
    incidents.incident_acknowledge(incident=made[1], user=people["operations"])
    operations.application_restart(
        reference=made[3].application.reference, user=people["operations"]
    )
    for hours, incident in zip((2, 5, 26, 70, 1), made, strict=True):
        Incident.objects.filter(pk=incident.pk).update(
            opened_at=timezone.now() - timedelta(hours=hours)
        )
    listen_to(engine_process, monkeypatch)
    page = visit("operations", at=INCIDENTS)
    expect(page.locator("#incident-sum")).to_have_text(
        "3 open, nobody works on them yet; 1 acknowledged."
    )
    picture(page, "incidents")
    page.click(f"a[href$='/incident/{lost.pk}/change/']")
    expect(page.locator("#press-resend")).to_be_visible()
    expect(page.locator("#panel-message")).to_be_visible()
    picture(page, "incident")
    page.go_back()

    page.click(f"a[href$='/incident/{made[0].pk}/change/']")
    page.click("#press-acknowledge")
    page.click("button.press-good")
    expect(page.locator("#incident-head")).to_contain_text("operations works on it")
    expect(page.locator("#press-acknowledge")).to_have_count(0)
    page.click("#press-restart")
    page.fill("#id_reason", "The fraud service answers again.")
    page.click("button.press-good")

    expect(page.locator(".messagelist .success")).to_contain_text("restarted as attempt 2")
    expect(page.locator("#incident-head")).to_contain_text("Resolved by operations")
    expect(page.locator(".detail-buttons")).to_have_count(0)
    page.click("#to-application")
    expect(page.locator("#application-head .badge").first).to_have_text("Funded", timeout=60_000)
    expect(page.locator("#application-log")).to_contain_text(
        "Restarted as attempt 2. The fraud service answers again."
    )
    page.click("text=History in the engine >> nth=0")
    expect(page.locator("#history")).to_contain_text("Execution succeeded")
    expect(page.locator("#waterfall-summary")).to_contain_text("The execution succeeded")
    expect(page.locator(".waterfall-names")).to_contain_text("experian")
    picture(page, "history")

    page.goto(INCIDENTS)
    page.click("#press-reconcile")
    expect(page.locator("#findings")).to_contain_text("lost by the engine")
    expect(page.locator("#findings")).to_contain_text(lost.application.reference)
    picture(page, "reconcile")
    page.click("#press-repair")
    expect(page.locator("#found")).to_contain_text("1 repaired")
    picture(page, "reconciled")
    lost.application.refresh_from_db()
    assert lost.application.status == Status.NEEDS_ATTENTION


@pytest.fixture
def addresses(people: dict[str, User]) -> dict[str, str]:
    """A page of everything that Operations may meet, by name."""
    officer, manager, staff = people["officer"], people["manager"], people["operations"]
    senior = people["senior"]
    late = trouble.expired_then_approved(officer, manager)
    unknown = trouble.payout_unknown(officer)
    lost = trouble.answer_given_up(officer, manager)
    stuck = trouble.stuck(officer)
    incidents.incident_acknowledge(incident=unknown, user=staff)
    operations.application_restart(reference=stuck.application.reference, user=staff)
    running = casework.waiting_for_manager(officer)
    task = running.review_tasks.get()
    tasks.task_remind(application=running, task=task, now=timezone.now())
    tasks.task_escalate(application=running, task=task, now=timezone.now())
    operations.execution_pause(
        reference=running.reference, user=staff, reason="The bureau is down."
    )
    now = timezone.now()
    given = delegation.delegation_create(
        delegator=senior,
        delegate=manager,
        starts_at=now,
        ends_at=now + timedelta(days=7),
        by=senior,
    )
    waiting = casework.waiting_for_manager(officer, loan_amount=300_000)
    decisions.task_decide(task=waiting.review_tasks.get(), user=manager, outcome=Outcome.APPROVE)
    edited = casework.waiting_for_manager(officer, loan_amount=600_000)
    decisions.task_decide(task=edited.review_tasks.get(), user=manager, outcome=Outcome.APPROVE)
    intake.application_edit(reference=edited.reference, user=officer, phone="613-555-0177")
    execution = running.executions.get()
    return {
        "incidents": INCIDENTS,
        "incidents-filtered": f"{INCIDENTS}?kind__exact=contradiction",
        "incident-late": f"{INCIDENTS}{late.pk}/change/",
        "incident-unknown": f"{INCIDENTS}{unknown.pk}/change/",
        "incident-lost": f"{INCIDENTS}{lost.pk}/change/",
        "incident-resolved": f"{INCIDENTS}{stuck.pk}/change/",
        "acknowledge": f"{INCIDENTS}{lost.pk}/acknowledge/",
        "paid": address("paid", unknown.application),
        "stop": address("stop", running),
        "application-late": address("change", late.application),
        "application-unknown": address("change", unknown.application),
        "application-lost": address("change", lost.application),
        "application-paused": address("change", running),
        "application-on-behalf": address("change", waiting),
        "application-voided": address("change", edited),
        "reconcile-down": f"{INCIDENTS}reconcile/",
        "history-down": f"/admin/workflows/execution/{execution.pk}/history/",
        "delegations": "/admin/reviews/delegation/",
        "delegation": f"/admin/reviews/delegation/{given.pk}/change/",
        "delegation-add": "/admin/reviews/delegation/add/",
        "delegation-revoke": f"/admin/reviews/delegation/{given.pk}/revoke/",
        "decisions": "/admin/reviews/reviewdecision/",
        "tasks-asked-again": "/admin/reviews/reviewtask/",
        "message": f"/admin/workflows/outboxmessage/{lost.message_id}/change/",
        "execution": f"/admin/workflows/execution/{execution.pk}/change/",
        "system-down": "/admin/workflows/sweeprun/",
    }


@pytest.mark.long
def test_every_page_of_operations_is_drawn_without_a_complaint(
    visit: Visit,
    addresses: dict[str, str],
    inspect: Picture,
) -> None:
    page = visit("root", at="")
    for name, where in some(addresses.items(), of=5):
        page.goto(where)
        inspect(page, name)
