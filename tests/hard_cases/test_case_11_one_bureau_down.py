"""Hard case 11: a bureau is down.

A parallel block quietly leaves a failed branch out, so a case must never be judged on two
reports as if there were three: it is a manager's, with the missing bureau named. The bureaus
are an HTTP server of the test; the workflow runs on the durable SDK's own test runner.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.choices import Bureau
from applications.models import CreditReport, LoanApplication, RiskAssessment
from lending.choices import Outcome
from partners.models import Partner
from reviews.models import ReviewTask
from reviews.services import decisions
from tests.casework import submit
from tests.functions.wire import Wire, wire
from tests.hard_cases.loopback import Loopback, Reply
from tests.sizes import some
from tests.waiting import eventually
from workflows.models import Incident, SimulatedPayout
from workflows.operations import application_restart

pytestmark = pytest.mark.django_db(transaction=True)

GOOD: Reply = (HTTPStatus.OK, {}, {"score": 780, "derogatory_marks": 0, "id": "R-1"})
# How a bureau can be down: it says so, it hangs up, it talks nonsense.
DOWN: dict[str, Reply] = {
    "unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, {}, {}),
    "hangs up": None,
    "nonsense": (HTTPStatus.OK, {}, {"score": "high"}),
}
SMALL = {"sin_last4": "7777", "loan_amount": "20000.00"}  # nobody would be asked


class Bureaus:
    """The bureaus; each answers as ``replies`` has it, by how often it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.replies: dict[str, Callable[[int], Reply]] = {}

    def answer(self, method: str, path: str, headers: Any, body: Any) -> Reply:  # noqa: ARG002
        """``POST /<bureau>/reports``."""
        bureau = path.strip("/").partition("/")[0]
        self.asked[bureau] += 1
        reply = self.replies.get(bureau)
        return GOOD if reply is None else reply(self.asked[bureau])

    def are_down(self, *which: Bureau, how: str = "unavailable") -> None:
        for bureau in which:
            self.replies[bureau.value] = lambda _: DOWN[how]

    def are_back(self) -> None:
        self.replies.clear()


@pytest.fixture
def bureaus(settings: Any) -> Iterator[Bureaus]:
    serving = Bureaus()
    with Loopback(serving.answer) as server:
        urls = {
            bureau.value: {"url": f"{server.url}/{bureau.value}", "token": ""} for bureau in Bureau
        }
        settings.LOANOFFICE_PROVIDERS = {**settings.LOANOFFICE_PROVIDERS, **urls}
        yield serving


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


@pytest.fixture
def api(partner_key: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {partner_key}"})


def submit_by(partner: Partner, **fields: Any) -> LoanApplication:
    return submit(None, partner=partner, **fields)


def waits_for_manager(application: LoanApplication) -> ReviewTask:
    return eventually(
        lambda: ReviewTask.objects.filter(
            application=application, kind="manager_approval", callback__isnull=False
        ).first(),
        what=f"a manager is asked about {application}",
    )


def end_of(aws: Wire, application: LoanApplication) -> str:
    name = f"{application.reference}-{application.attempt}"
    eventually(lambda: name in aws.arns)
    ended = aws.result(name).status.value
    application.refresh_from_db()
    return str(ended)


def assert_named(application: LoanApplication, missing: list[Bureau], api: Client) -> None:
    """In the reason, in the assessment, in the timeline, and in what the partner reads."""
    labels = ", ".join(bureau.label for bureau in missing)
    text = f"A credit bureau did not answer. Missing: {labels}."
    assert application.review_tasks.get().reasons == [{"code": "BUREAU_UNAVAILABLE", "text": text}]
    assessment = RiskAssessment.objects.get()
    assert assessment.missing_bureaus == [bureau.value for bureau in missing]
    assert assessment.outcome == "refer"
    line = application.events.get(kind="risk_assessment")
    assert text in line.message
    assert not line.is_internal
    reported = set(CreditReport.objects.values_list("bureau", flat=True))
    assert reported == {bureau.value for bureau in Bureau if bureau not in missing}
    case = api.get(f"/api/v1/applications/{application.reference}/").json()
    assert (case["status"], case["waiting_on"]["who"]) == ("pending_approval", "manager")
    assert case["offer"] is None
    events = api.get(f"/api/v1/applications/{application.reference}/events/").json()["results"]
    assert any(text in event["message"] for event in events)


@pytest.mark.long
@pytest.mark.parametrize(("down", "how"), some(product(Bureau, DOWN), of=2))
def test_bureau_that_stays_down_makes_a_referral_that_names_it(
    aws: Wire, bureaus: Bureaus, partner: Partner, api: Client, down: Bureau, how: str
) -> None:
    bureaus.are_down(down, how=how)
    application = submit_by(partner, **SMALL)
    waits_for_manager(application)
    assert_named(application, [down], api)
    assert bureaus.asked == {bureau.value: 3 if bureau == down else 1 for bureau in Bureau}
    assert not SimulatedPayout.objects.exists()


def test_two_bureaus_down_are_both_named(
    aws: Wire, bureaus: Bureaus, partner: Partner, api: Client
) -> None:
    bureaus.are_down(Bureau.EQUIFAX, Bureau.EXPERIAN)
    application = submit_by(partner, **SMALL)
    waits_for_manager(application)
    assert_named(application, [Bureau.EQUIFAX, Bureau.EXPERIAN], api)


@pytest.mark.parametrize(
    ("outcome", "ends"), [(Outcome.APPROVE, "funded"), (Outcome.DECLINE, "declined")]
)
def test_manager_who_knows_what_is_missing_decides(
    aws: Wire, bureaus: Bureaus, officer: User, manager: User, outcome: Outcome, ends: str
) -> None:
    bureaus.are_down(Bureau.TRANSUNION)
    application = submit(officer, **SMALL)
    task = waits_for_manager(application)
    decisions.task_decide(task=task, user=manager, outcome=outcome, reason="As it stands.")
    assert end_of(aws, application) == "SUCCEEDED"
    assert application.status == ends
    assert SimulatedPayout.objects.count() == (1 if ends == "funded" else 0)


def test_two_poor_reports_of_three_are_a_managers_too_with_every_reason(
    aws: Wire, bureaus: Bureaus, officer: User
) -> None:
    poor: Reply = (HTTPStatus.OK, {}, {"score": 540, "derogatory_marks": 1, "id": "R-2"})
    bureaus.replies = dict.fromkeys(Bureau, lambda _: poor)
    bureaus.are_down(Bureau.EXPERIAN)
    application = submit(officer, **SMALL)
    task = waits_for_manager(application)
    codes = [reason["code"] for reason in task.reasons]
    assert codes == ["BUREAU_UNAVAILABLE", "SCORE_TOO_LOW", "DEROGATORY_MARKS"]
    application.refresh_from_db()
    assert (application.status, application.outcome) == ("pending_approval", "")


def test_three_bureaus_down_are_an_incident_and_never_an_approval(
    aws: Wire, bureaus: Bureaus, officer: User, operations: User
) -> None:
    bureaus.are_down(*Bureau)
    application = submit(officer, **SMALL)
    assert end_of(aws, application) == "FAILED"
    assert (application.status, application.outcome) == ("needs_attention", "")
    incident = Incident.objects.get()
    assert (incident.kind, incident.status) == ("workflow_failed", "open")
    assert "No credit bureau answered" in incident.sentence
    assert bureaus.asked == {bureau.value: 3 for bureau in Bureau}
    assert not RiskAssessment.objects.exists()
    assert not ReviewTask.objects.exists()
    assert not application.offers.exists()
    assert not SimulatedPayout.objects.exists()

    bureaus.are_back()
    application_restart(reference=application.reference, user=operations)
    application.refresh_from_db()
    assert end_of(aws, application) == "SUCCEEDED"
    assert (application.status, application.attempt) == ("funded", 2)
    assert SimulatedPayout.objects.count() == 1


def test_bureau_that_answers_at_the_third_try_is_used(
    aws: Wire, bureaus: Bureaus, officer: User
) -> None:
    bureaus.replies[Bureau.EXPERIAN.value] = lambda tries: (
        DOWN["unavailable"] if tries < 3 else GOOD
    )
    application = submit(officer, **SMALL)
    assert end_of(aws, application) == "SUCCEEDED"
    assert application.status == "funded"
    assert bureaus.asked == {
        bureau.value: 3 if bureau == Bureau.EXPERIAN else 1 for bureau in Bureau
    }
    assert CreditReport.objects.count() == len(Bureau)
    assert RiskAssessment.objects.get().missing_bureaus == []
    assert not ReviewTask.objects.exists()
    kinds = list(application.events.values_list("kind", flat=True))
    assert len(kinds) == len(set(kinds))
