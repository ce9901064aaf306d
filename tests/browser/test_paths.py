"""The paths that people take through the office, from end to end, in a real browser."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from lending.models import LendingPolicy
from partners.models import Partner
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import ADD, LIST, decide_page
from tests.applications.admin.conftest import page as address
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_operations import engine_process, listen_to
from tests.functions.engine_process import EngineProcess
from tests.sizes import some
from tests.workflows import trouble
from tests.workflows.admin.test_system import LISTED
from tests.workflows.admin.test_waterfall import a_loan
from tests.workflows.lambda_stub import lambda_stub
from workflows.models import SweepRun

__all__ = ["engine_process"]
pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Keep = Callable[[Page, str], None]
MINE = "/admin/reviews/reviewtask/?mine=yes"
# Where the forms lead that have something to press; Django's lists are forms without.
SENDABLE = """(forms) => forms
    .filter((form) => form.querySelector("button:not([type=button]), [type=submit], [type=image]"))
    .map((form) => new URL(form.action).pathname)"""
BROUGHT = (
    ("Alice Johnson", 120_000),
    ("Bob Martinez", 185_000),
    ("Charlie Wilson", 240_000),
    ("Dana Reed", 310_000),
    ("Erin Park", 105_000),
)


def test_submitted_with_a_profile_carried_by_the_engine_approved_and_funded(
    visit: Visit,
    officer: User,
    manager: User,
    engine_process: EngineProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listen_to(engine_process, monkeypatch)
    page = visit("officer", at=ADD)
    page.click("#profile-1111")
    page.click("text=Submit application")
    page.evaluate("window.notReloaded = true")
    badge = page.locator("#application-head .badge").first
    expect(badge).to_have_text("Pending approval", timeout=60_000)
    expect(page.locator("#application-why")).to_contain_text("The threshold is 100,000.00 CAD")
    expect(page.locator("#press-approve")).to_have_count(0)

    deciding = visit("manager")
    deciding.click("#open-tasks-badge")
    deciding.click("text=LOAN-")
    deciding.click("#press-approve")
    deciding.click("button.press-good")
    expect(deciding.locator(".messagelist .success")).to_contain_text("approved")

    expect(badge).to_have_text("Funded", timeout=60_000)
    expect(page.locator("#application-why")).to_contain_text("Approved by manager")
    expect(page.locator("#panel-disbursement")).to_be_visible()
    assert page.evaluate("window.notReloaded === true")
    page.click("text=Whole timeline")
    page.check("input[name=workflow]")
    page.click("#press-show")
    expect(page.locator("#content")).to_contain_text("Step succeeded: equifax")


def test_second_approval_takes_another_person(
    visit: Visit, officer: User, make_user: Callable[..., User]
) -> None:
    for name in ("senior", "senior2"):
        make_user(name, Role.SENIOR_MANAGER)
    application = casework.waiting_for_manager(officer, loan_amount=600_000)
    page = visit("senior", at=address("change", application))
    expect(page.locator("#application-panels")).to_contain_text("0 of 2 given")
    page.click("#press-approve")
    page.click("button.press-good")

    expect(page.locator(".messagelist .success")).to_contain_text("A second person")
    expect(page.locator("#application-panels")).to_contain_text("1 of 2 given")
    expect(page.locator("#press-approve")).to_have_count(0)
    page.goto(decide_page(application, "approve"))
    expect(page.locator(".messagelist .error")).to_contain_text("waiting for a second person")

    other = visit("senior2", at=address("change", application))
    other.click("#press-approve")
    expect(other.locator("#content")).to_contain_text("senior")
    other.click("button.press-good")
    expect(other.locator(".messagelist .success")).to_be_visible()
    deciders = ReviewDecision.objects.values_list("decided_by__username", flat=True)
    assert sorted(deciders) == ["senior", "senior2"]
    assert application.review_tasks.get().outcome == Outcome.APPROVE


def test_fifty_are_approved_at_once(
    visit: Visit, officer: User, manager: User, screen: Keep
) -> None:
    casework.many_waiting_for_manager(officer, 50)
    page = visit("manager", at=LIST)
    page.check("#action-toggle")
    page.select_option("select[name=action]", "approve_selected")
    page.click("button[name=index]")
    expect(page.locator("#content")).to_contain_text("50 can be decided")
    expect(page.locator("tfoot")).to_contain_text("7,500,000.00")
    page.locator("input[name=row]").first.uncheck()
    expect(page.locator("#press-approve")).to_have_text("Approve 49 applications")
    expect(page.locator("#ticked-sum")).to_have_text("49 ticked: 7,350,000.00 CAD")
    page.get_by_label("All of these").check()
    expect(page.locator("#press-approve")).to_have_text("Approve 50 applications")
    screen(page, "bulk-preview")

    page.click("#press-approve")

    page.wait_for_url("**/admin/reviews/bulkdecision/*/change/")
    expect(page.locator(".messagelist .success")).to_have_text("50 applications approved.")
    screen(page, "bulk-result")
    assert ReviewDecision.objects.filter(decided_by=manager, outcome=Outcome.APPROVE).count() == 50


def test_permission_that_was_lost_meanwhile_is_refused_and_nothing_is_recorded(
    visit: Visit, officer: User, manager: User
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("manager", at=decide_page(application, "approve"))
    manager.groups.remove(Group.objects.get(name=Role.MANAGER))
    manager.groups.add(Group.objects.get(name=Role.AUDITOR))

    page.click("button.press-good")

    expect(page.locator(".messagelist .error")).to_contain_text("You may not decide")
    expect(page.locator("#press-approve")).to_have_count(0)
    assert not ReviewDecision.objects.exists()


def test_badge_counts_what_waits_and_follows_without_a_reload(
    visit: Visit, officer: User, manager: User, make_user: Callable[..., User]
) -> None:
    tasks = [casework.waiting_for_manager(officer).review_tasks.get() for _ in range(2)]
    page = visit("manager")
    expect(page.locator("#open-tasks-figure")).to_have_text("2")
    expect(page).to_have_title("(2) Today | Loan Office")
    page.evaluate("window.notReloaded = true")
    other = make_user("manager2", Role.MANAGER)
    decisions.task_decide(task=tasks[0], user=other, outcome=Outcome.APPROVE)

    # What a tab does that is looked at again.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(page.locator("#open-tasks-figure")).to_have_text("1")
    expect(page.locator("#open-tasks-sentence")).to_have_text("1 task waits on you")
    expect(page).to_have_title("(1) Today | Loan Office")
    assert page.evaluate("window.notReloaded === true")
    page.click("#open-tasks-badge")
    expect(page.locator("h1")).to_have_text("My approvals")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def test_badge_asks_no_more_once_the_log_in_ran_out(visit: Visit, manager: User) -> None:
    page = visit("manager")
    page.context.clear_cookies()

    asked = page.evaluate("""async () => {
        const real = window.fetch;
        const look = () => document.dispatchEvent(new Event("visibilitychange"));
        let asked = 0;
        let answer = null;
        window.fetch = (...told) => { asked += 1; answer = real(...told); return answer; };
        look();
        await answer;
        await new Promise((heard) => setTimeout(heard));
        look();
        return asked;
    }""")

    assert asked == 1


@pytest.fixture
def busy(officer: User, manager: User, partner: Partner) -> LoanApplication:
    """An office in which something of everything is there; the case that waits longest."""
    now = timezone.now()
    waiting = [
        casework.waiting_for_manager(
            officer, applicant_name=name, loan_amount=amount, partner=partner
        )
        for name, amount in BROUGHT
    ]
    for days, application in enumerate(waiting):
        opened = now - timedelta(days=days, hours=2)
        ReviewTask.objects.filter(application=application).update(
            opened_at=opened, due_at=opened + timedelta(days=1)
        )
    closed = [(days, number) for days in range(1, 25) for number in range(1 + days % 3)]
    cases = casework.many_submitted(officer, len(closed), applicant_name="Charlie Wilson")
    for case, (days, number) in zip(cases, closed, strict=True):
        ended = now - timedelta(days=days)
        begun = ended - timedelta(hours=days)
        LoanApplication.objects.filter(pk=case.pk).update(
            status="declined" if number == 2 else "funded",
            current_step="risk_assessment" if number == 2 else "complete",
            created_at=begun,
            submitted_at=begun,
            decided_at=ended,
            closed_at=ended,
            waiting_on="",
        )
    trouble.stuck(officer)
    intake.application_withdraw(reference=casework.submit(officer).reference, user=officer)
    return waiting[-1]


def test_every_screen_of_the_desk_is_right_by_light_and_by_dark_on_a_desk_and_on_a_phone(
    visit: Visit,
    busy: LoanApplication,
    make_user: Callable[..., User],
    inspect: Keep,
    screen: Keep,
) -> None:
    make_user("senior", Role.SENIOR_MANAGER)
    page = visit("senior")
    expect(page.locator("#tile-mine .tile-figure")).to_have_text("5")
    expect(page.locator("#oldest tbody tr")).to_have_count(5)
    screen(page, "dashboard")
    inspect(page, "dashboard")
    policy = LendingPolicy.objects.get(version=1)
    for name, where in {
        "applications": LIST,
        "my-approvals": MINE,
        "application": address("change", busy),
        "timeline": address("timeline", busy),
        "incidents": "/admin/workflows/incident/",
        "policy": f"/admin/lending/lendingpolicy/{policy.pk}/change/",
    }.items():
        page.goto(where)
        screen(page, name)
        inspect(page, name)
    page.goto("/admin/")
    page.emulate_media(color_scheme="dark")
    screen(page, "dashboard-dark")
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    page.goto(address("change", busy))
    screen(page, "application-phone")

    page.context.clear_cookies()
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    page.emulate_media(color_scheme="light")
    page.goto("/admin/login/")
    screen(page, "sign-in")

    nobody = make_user("nobody")
    alone = visit(nobody.username)
    expect(alone.locator("#no-role")).to_be_visible()
    inspect(alone, "dashboard-no-role")


def a_day_of_sweeps() -> None:
    """A row of the sweep for each minute of a day, in which mail did not go out for an hour."""
    now = timezone.now()
    figures = [(1200 < back < 1260, back % 7 == 0, back) for back in range(1440)]
    SweepRun.objects.bulk_create(
        SweepRun(
            minute=(now - timedelta(minutes=back)).replace(second=0, microsecond=0),
            ended_at=now - timedelta(minutes=back),
            seconds=0.4,
            outbox_pending=(1260 - back) // 2 if is_down else back % 5 if is_busy else 0,
            outbox_oldest_seconds=(1260 - back) * 10 if is_down else 20 if is_busy else 0,
            incidents_open=1,
            tasks_overdue=4,
        )
        for is_down, is_busy, back in figures
    )


def test_what_operations_sees_of_the_system_and_of_an_execution(
    visit: Visit,
    officer: User,
    make_user: Callable[..., User],
    inspect: Keep,
    screen: Keep,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_user("operations", Role.OPERATIONS)
    execution = casework.waiting_for_manager(officer).executions.get()
    trouble.stuck(officer)
    page = visit("operations")
    expect(page.locator("#system-notice")).to_contain_text("No sweep has come to its end yet")
    inspect(page, "system-notice")
    a_day_of_sweeps()
    events = [{**event, "EventId": number} for number, event in enumerate(a_loan(), start=1)]
    history = json.loads(json.dumps(events, default=datetime.timestamp))
    with lambda_stub(monkeypatch) as engine:
        engine.known[LISTED] = {"DurableExecutions": []}
        engine.pages.append({"Events": history})
        page.reload()
        expect(page.locator("#system-notice")).to_have_count(0)
        page.click("#nav-sidebar >> text=System")
        expect(page.locator("#system-engine")).to_contain_text("All right")
        screen(page, "system")
        inspect(page, "system")

        page.goto(f"/admin/workflows/execution/{execution.pk}/history/")
        expect(page.locator("#waterfall-summary")).to_contain_text("folded: 3 days")
        screen(page, "waterfall")
        inspect(page, "waterfall")


@pytest.mark.long
def test_who_may_only_look_can_press_nothing_on_any_screen(
    visit: Visit, busy: LoanApplication, auditor: User, screen: Keep
) -> None:
    """The forms that post are sign-out, search, export, and those of one's own lists."""
    page = visit("auditor")
    addresses = {
        str(link)
        for link in page.eval_on_selector_all(
            "#nav-sidebar a", "(links) => links.map((link) => new URL(link.href).pathname)"
        )
    }
    assert len(addresses) >= 12
    incident = busy.__class__.objects.filter(status="needs_attention").get().incidents.get()
    addresses |= {
        address("change", busy),
        address("timeline", busy),
        f"/admin/workflows/incident/{incident.pk}/change/",
        f"/admin/lending/lendingpolicy/{LendingPolicy.objects.get(version=1).pk}/change/",
        MINE,
    }
    posting: set[str] = set()
    for where in some(sorted(addresses), of=5):
        page.goto(where)
        presses = page.eval_on_selector_all(
            ".press-good, .press-bad, [id^=press-]", "(found) => found.map((press) => press.id)"
        )
        assert set(presses) <= {"press-show", "press-export", "press-save-filter"}, where
        assert page.locator("select[name=action], .addlink:visible").count() == 0, where
        posting |= set(
            page.eval_on_selector_all(
                "form[method=post]",
                SENDABLE,
            )
        )
    page.goto("/admin/audit/auditentry/")
    screen(page, "audit-log")
    page.goto(f"/admin/workflows/incident/{incident.pk}/change/")
    screen(page, "incident")
    assert {form for form in posting if not form.startswith("/admin/lists/")} <= {
        "/admin/logout/",
        "/admin/search/",
        f"{LIST}export/",
        "/admin/audit/auditentry/export/",
    }, posting
