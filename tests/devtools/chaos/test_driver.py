"""Partners and staff against a live server: their requests, and how they classify answers."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from devtools.chaos.acknowledgements import Acknowledgements, Reply, State
from devtools.chaos.client import Client
from devtools.chaos.driver import Driver
from devtools.chaos.plan import Occasion, Plan, PlannedApplication, PlannedDecision, Withdrawal
from lending.choices import Outcome
from partners.models import IdempotencyKey, Partner
from partners.services.keys import partner_key_issue
from reviews.choices import TaskKind
from reviews.models import ReviewDecision
from reviews.services import decisions
from tests import casework
from tests.devtools.chaos.office import ANALYST, MANAGER, planned
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


class Scene:
    """One partner, one case that waits, and a driver that has not begun."""

    def __init__(self, partner: Partner, base: str) -> None:
        self.partner = partner
        self.base = base
        self.key = partner_key_issue(partner=partner)[1]
        self.drivers: list[Driver] = []

    def driver(self, *applications: PlannedApplication) -> Driver:
        driver = Driver(
            plan=Plan(applications, kills=()),
            acknowledgements=Acknowledgements(applications),
            base=self.base,
            keys=[self.key],
        )
        self.drivers.append(driver)
        return driver

    def waiting(self, driver: Driver, kind: TaskKind = MANAGER) -> LoanApplication:
        """The driver's only case, submitted and acknowledged, waiting for a person."""
        (acknowledged,) = driver.acknowledgements.applications.values()
        plan = acknowledged.planned
        application = casework.submit(
            None,
            partner=self.partner,
            external_id=plan.external_id,
            sin_last4=plan.sin_last4,
            loan_amount=plan.amount,
        )
        casework.assess(application)
        casework.ask(application, kind)
        acknowledged.reference, acknowledged.submission = (
            application.reference,
            Reply(State.ACKNOWLEDGED),
        )
        return application

    def client(self, driver: Driver, person: str) -> Client:
        client = Client(self.base, over=driver.over, lost=lambda: None)
        client.log_in(person, "demo")
        return client


@pytest.fixture
def scene(partner: Partner, live_server: Any, manager: User) -> Iterator[Scene]:
    scene = Scene(partner, live_server.url)
    yield scene
    for driver in scene.drivers:
        driver.stop()


def case_of(driver: Driver) -> Any:
    (acknowledged,) = driver.acknowledgements.applications.values()
    return acknowledged


def test_partner_submits_and_withdraws_and_is_told_so(scene: Scene) -> None:
    kept = planned("kept", "3333", 20_000)
    left = planned("left", "1111", 20_000, withdrawal=Withdrawal(Occasion.SUBMITTED, 0))
    driver = scene.driver(kept, left)
    assert driver.submitting
    driver.start()
    eventually(lambda: driver.complete)
    assert not driver.submitting
    rows = {row.external_id: row for row in LoanApplication.objects.all()}
    assert {name: row.status for name, row in rows.items()} == {
        "kept": "submitted",
        "left": "withdrawn",
    }
    for name, acknowledged in driver.acknowledgements.applications.items():
        assert acknowledged.reference == rows[name].reference
        assert rows[name].loan_amount == 20_000
    assert driver.acknowledgements.applications["left"].withdrawal == Reply(
        State.ACKNOWLEDGED, "200"
    )
    assert driver.failed == []


def test_withdrawal_that_is_refused_is_told_so(scene: Scene) -> None:
    driver = scene.driver(
        planned("paid", "3333", 20_000, withdrawal=Withdrawal(Occasion.SUBMITTED, 0))
    )
    funded = casework.funded(None, partner=scene.partner, external_id="paid")
    acknowledged = case_of(driver)
    acknowledged.reference, acknowledged.submission = funded.reference, Reply(State.ACKNOWLEDGED)
    driver.partners[-1].start()
    eventually(lambda: acknowledged.withdrawal)
    assert acknowledged.withdrawal.state == State.REFUSED
    assert driver.complete


def test_partner_withdraws_while_a_person_is_waited_for(scene: Scene) -> None:
    driver = scene.driver(
        planned("left", "1111", 150_000, withdrawal=Withdrawal(Occasion.WAITING, 0))
    )
    application = scene.waiting(driver)
    driver.partners[-1].start()
    eventually(lambda: driver.complete)
    application.refresh_from_db()
    assert application.status == "withdrawn"


@pytest.mark.parametrize("approved", [True, False])
def test_member_of_staff_finds_the_case_and_decides_it(scene: Scene, approved: bool) -> None:
    driver = scene.driver(planned("mine", "1111", 150_000, (MANAGER, "manager", approved)))
    scene.waiting(driver)
    for thread in driver.staff:
        thread.start()
    eventually(lambda: driver.complete)
    decision = ReviewDecision.objects.get()
    assert decision.decided_by is not None
    assert decision.decided_by.username == "manager"
    assert decision.outcome == (Outcome.APPROVE if approved else Outcome.DECLINE)
    assert [reply.state for reply in case_of(driver).decisions.values()] == [State.ACKNOWLEDGED]


def test_two_seniors_approve_one_after_the_other(
    scene: Scene, make_user: Callable[..., User]
) -> None:
    for name in ("senior", "senior2"):
        make_user(name, Role.SENIOR_MANAGER)
    driver = scene.driver(
        planned("two", "1111", 600_000, (MANAGER, "senior2", True), (MANAGER, "senior", True))
    )
    scene.waiting(driver)
    for thread in driver.staff:
        thread.start()
    eventually(lambda: driver.complete)
    people = list(
        ReviewDecision.objects.order_by("pk").values_list("decided_by__username", flat=True)
    )
    assert people == ["senior2", "senior"]


def test_already_decided_by_oneself_is_an_acknowledgement(scene: Scene, manager: User) -> None:
    driver = scene.driver(planned("mine", "1111", 150_000, (MANAGER, "manager", True)))
    application = scene.waiting(driver)
    decisions.task_decide(
        task=application.review_tasks.get(), user=manager, outcome=Outcome.APPROVE
    )
    acknowledged = case_of(driver)
    client = scene.client(driver, "manager")
    driver.decide(
        client, acknowledged, acknowledged.planned.decisions[0], version=application.version
    )
    assert next(iter(acknowledged.decisions.values())).state == State.ACKNOWLEDGED
    assert ReviewDecision.objects.count() == 1


def test_already_decided_by_somebody_else_is_a_refusal(
    scene: Scene, make_user: Callable[..., User]
) -> None:
    driver = scene.driver(planned("mine", "1111", 150_000, (MANAGER, "manager", True)))
    application = scene.waiting(driver)
    decisions.task_decide(
        task=application.review_tasks.get(),
        user=make_user("manager2", Role.MANAGER),
        outcome=Outcome.APPROVE,
    )
    acknowledged = case_of(driver)
    driver.decide(
        scene.client(driver, "manager"),
        acknowledged,
        acknowledged.planned.decisions[0],
        version=application.version,
    )
    assert next(iter(acknowledged.decisions.values())).state == State.REFUSED


def test_case_that_changed_is_read_again_and_decided(scene: Scene, officer: User) -> None:
    driver = scene.driver(planned("mine", "1111", 150_000, (MANAGER, "manager", True)))
    application = scene.waiting(driver)
    intake.application_edit(reference=application.reference, user=officer, phone="613-555-0199")
    acknowledged = case_of(driver)
    driver.decide(
        scene.client(driver, "manager"),
        acknowledged,
        acknowledged.planned.decisions[0],
        version=application.version,
    )
    assert next(iter(acknowledged.decisions.values())).state == State.ACKNOWLEDGED
    assert ReviewDecision.objects.get().application_version == application.version + 1


@pytest.mark.parametrize("keyed", [True, False])
def test_keyed_decision_is_sent_under_a_key(scene: Scene, keyed: bool) -> None:
    decision = PlannedDecision(MANAGER, "manager", approved=True, keyed=keyed)
    driver = scene.driver(replace(planned("mine", "1111", 150_000), decisions=(decision,)))
    application = scene.waiting(driver)
    acknowledged = case_of(driver)
    driver.decide(
        scene.client(driver, "manager"), acknowledged, decision, version=application.version
    )
    assert acknowledged.decisions[decision].state == State.ACKNOWLEDGED
    assert IdempotencyKey.objects.count() == int(keyed)


class Forgetful(Client):
    """A client whose first answer to a decision is lost, and then something happens."""

    def __init__(self, base: str, *, meanwhile: Callable[[], None]) -> None:
        super().__init__(base, over=threading.Event(), lost=lambda: None)
        self.meanwhile = meanwhile

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        answer = super().ask(method, path, body, **more)
        if method == "POST":
            self.meanwhile()
            answer = replace(super().ask(method, path, body, **more), lost=1)
        return answer


def test_refusal_after_a_lost_answer_is_read_as_what_it_is(
    scene: Scene, manager: User, analyst: User
) -> None:
    """The manager's repeat meets the analyst's task: the case has moved on by the first one."""
    driver = scene.driver(
        planned("both", "4444", 150_000, (MANAGER, "manager", True), (ANALYST, "analyst", True))
    )
    application = scene.waiting(driver)
    acknowledged = case_of(driver)

    def the_workflow_goes_on() -> None:
        application.refresh_from_db()
        casework.ask(application, ANALYST)

    client = Forgetful(scene.base, meanwhile=the_workflow_goes_on)
    client.log_in("manager", "demo")
    decision = acknowledged.planned.decisions[0]
    driver.decide(client, acknowledged, decision, version=application.version)
    reply = acknowledged.decisions[decision]
    assert reply.state == State.ACKNOWLEDGED
    assert reply.summary.startswith("403")
    assert driver.acknowledgements.counts["decisions acknowledged by reading"] == 1
    assert ReviewDecision.objects.count() == 1


def test_person_who_cannot_log_in_ends_the_run_with_a_reason(scene: Scene) -> None:
    driver = scene.driver(planned("mine", "1111", 150_000, (MANAGER, "nobody", True)))
    scene.waiting(driver)
    driver.start()
    eventually(lambda: driver.failed)
    assert "PermissionError: nobody could not log in: 200" in driver.failed[0]
    assert driver.over.is_set()
