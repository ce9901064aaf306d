"""A made-up day of the office: every metric, compared with the record; each event once."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from applications.choices import Bureau
from applications.models import LoanApplication
from core import invocations, metrics
from core.metrics import METRICS, NAMESPACE
from deploy.alarms import ALARMS
from deploy.dashboard import PICTURES
from functions import fraud_check
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from tests.webhooks.receiver import receiving
from tests.workflows.lambda_stub import LambdaStub
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookAttempt
from workflows import backlog
from workflows.errors import ProviderError
from workflows.models import Incident, OutboxMessage
from workflows.outbox import queue
from workflows.steps import credit, offer, payout, review, risk
from workflows.sweep import sweep

pytestmark = pytest.mark.django_db(transaction=True)

COMMON = {"service": "loanoffice", "stage": "local"}
SMALL = {"sin_last4": "3333", "loan_amount": Decimal(25_000)}


class Counted:
    """The lines of metrics that were written, as CloudWatch reads them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def series(self) -> dict[str, Counter[tuple[str, ...]]]:
        """The sum of each metric by its further dimensions; without any, by nothing."""
        found: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
        for line in self.lines():
            (said,) = line["_aws"]["CloudWatchMetrics"]
            assert said["Namespace"] == "LoanOffice"
            total, *more = said["Dimensions"]
            assert {name: line[name] for name in total} == COMMON
            for metric in said["Metrics"]:
                by = next(each.by for each in METRICS if each.name == metric["Name"])
                assert [set(names) for names in more] == ([{*COMMON, *by}] if by else [])
                key = tuple(line[name] for name in by)
                found[metric["Name"]][key] += sum(line[metric["Name"]])
        return dict(found)

    def times(self, name: str) -> list[float]:
        return sorted(line[name][0] for line in self.lines() if name in line)


@pytest.fixture
def counted(settings: Any, tmp_path: Path) -> Counted:
    path = tmp_path / "metrics.jsonl"
    path.touch()
    settings.LOANOFFICE_METRICS = str(path)
    return Counted(path)


def decide(application: LoanApplication, user: User, outcome: Outcome, kind: TaskKind) -> None:
    task = application.review_tasks.get(kind=kind, status="open")
    decisions.task_decide(task=task, user=user, outcome=outcome, reason="As the file says.")


def fund(application: LoanApplication) -> None:
    """Go on from the risk assessment to the payout; each step runs twice."""
    run = casework.run_of(application)
    assert offer.offer_begin(run) is None
    casework.make_offer(run)
    casework.make_offer(run)
    for _ in range(2):
        payout.disburse(run)


def declined(application: LoanApplication, kind: TaskKind) -> None:
    run = casework.run_of(application)
    for _ in range(2):
        review.declined_on_review(run, kind)


def expired(application: LoanApplication) -> None:
    ReviewTask.objects.filter(application=application).update(
        expires_at=timezone.now() - timedelta(minutes=1)
    )
    sweep()
    run = casework.run_of(application)
    for _ in range(2):
        assert review.expired(run, TaskKind.MANAGER_APPROVAL)


def roll_back(make: Callable[[], object]) -> None:
    with suppress(LookupError), transaction.atomic():
        make()
        raise LookupError


def test_every_metric_of_a_day_is_what_the_record_says(
    aws: LambdaStub,
    counted: Counted,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    officer: User,
    manager: User,
    analyst: User,
    partner: Partner,
) -> None:
    settings.LOANOFFICE_ON_LAMBDA = True
    settings.LOANOFFICE_FUNCTION = "fraud-check"
    monkeypatch.setattr(invocations._Process, "current", None)
    invocations.begin(SimpleNamespace(function_name="fraud", aws_request_id="1"))
    invocations.begin(SimpleNamespace(function_name="fraud", aws_request_id="2"))

    with receiving() as receiver:
        endpoint_create(partner=partner, url=receiver.url)
        receiver.answers += [(500, {}), (204, {})]

        # Funded after a manager's approval; partner's.
        approved = casework.waiting_for_manager(None, partner=partner)
        decide(approved, manager, Outcome.APPROVE, TaskKind.MANAGER_APPROVAL)
        casework.pass_fraud_check(approved)
        fund(approved)
        # Declined by a manager.
        refused = casework.waiting_for_manager(officer)
        decide(refused, manager, Outcome.DECLINE, TaskKind.MANAGER_APPROVAL)
        declined(refused, TaskKind.MANAGER_APPROVAL)
        # Flagged, and declined by an analyst.
        flagged = casework.submit(officer, **SMALL)
        casework.assess(flagged)
        casework.pass_fraud_check(flagged, "flagged")
        casework.ask(flagged, TaskKind.FRAUD_REVIEW)
        decide(flagged, analyst, Outcome.DECLINE, TaskKind.FRAUD_REVIEW)
        declined(flagged, TaskKind.FRAUD_REVIEW)
        # Declined by the policy; the step runs again.
        poor = casework.submit(officer, sin_last4="3333", loan_amount=Decimal(25_001))
        casework.assess(poor)
        risk.risk_record(casework.run_of(poor))
        # Nobody decides in time.
        expired(casework.waiting_for_manager(officer))
        # Nothing that is rolled back was.
        roll_back(lambda: casework.submit(officer))
        paying = casework.run_of(casework.disbursing(officer))
        roll_back(lambda: payout.disbursement_settle(paying, rail_reference="R"))
        waiting = casework.waiting_for_manager(officer)
        roll_back(lambda: decide(waiting, manager, Outcome.APPROVE, TaskKind.MANAGER_APPROVAL))

        ask_providers(settings, officer)
        # A start that the engine does not take at first, and the webhooks.
        aws.answers.append((503, "ServiceException"))
        casework.submit(officer)
        OutboxMessage.objects.filter(status="pending").update(due_at=timezone.now())
        queue.send_due()
        ReviewTask.objects.filter(application=waiting).update(due_at=timezone.now())
        left = sweep_and_read()

    found = counted.series()
    assert found.keys() == {each.name for each in METRICS}
    compare_with_the_record(found, counted)
    sweeps = found["SweepRan"][()]
    assert sweeps == 2
    gauges = [line for line in counted.lines() if "SweepRan" in line][-1]
    assert {name: gauges[name] for name in ("OutboxPending", "IncidentsOpen", "TasksOverdue")} == {
        "OutboxPending": [left.outbox_pending],
        "IncidentsOpen": [left.incidents_open],
        "TasksOverdue": [left.tasks_overdue],
    }
    assert left.incidents_open == Incident.objects.filter(status="open").count()
    assert left.tasks_overdue >= 1
    assert found["ColdStart"] == {("fraud-check",): 1}


def ask_providers(settings: Any, officer: User) -> None:
    """Ask a bureau that answers and one that is down, and a fraud check that is down."""
    application = casework.submit(officer, **SMALL)
    run = casework.run_of(application)
    casework.workflow_executions.execution_running(run, arn=casework.arn_of(run.name))
    casework.validation.validation_record(run)
    credit.pull_report(run, Bureau.EQUIFAX)
    nowhere = {"url": "http://127.0.0.1:9", "token": "t"}
    settings.LOANOFFICE_PROVIDERS = {
        **settings.LOANOFFICE_PROVIDERS,
        "experian": nowhere,
        "fraud": nowhere,
    }
    with pytest.raises(ProviderError):
        credit.pull_report(run, Bureau.EXPERIAN)
    with pytest.raises(ProviderError):
        fraud_check.handler({"application": application.reference, "callback_id": "F"}, None)


def sweep_and_read() -> backlog.Backlog:
    sweep()
    return backlog.backlog_read(now=timezone.now())


def compare_with_the_record(found: dict[str, Counter[tuple[str, ...]]], counted: Counted) -> None:
    applications = LoanApplication.objects.exclude(submitted_at=None)
    by_partner = applications.exclude(partner=None).count()
    assert found["ApplicationsSubmitted"] == {
        ("api",): by_partner,
        ("admin",): applications.count() - by_partner,
    }
    taken = ReviewDecision.objects.values_list("task__kind", "outcome").annotate(Count("pk"))
    assert found["DecisionsTaken"] == {(kind, outcome): n for kind, outcome, n in taken}
    for status in ("Funded", "Declined", "Expired"):
        number = applications.filter(status=status.lower()).count()
        assert found[f"Applications{status}"] == {(): number}, status
        assert number
    assert found["ApplicationsDeclined"][()] == 3
    assert counted.times("TimeToFunded") == seconds(applications.filter(status="funded"), "closed")
    decided = applications.exclude(decided_at=None)
    assert counted.times("TimeToDecision") == seconds(decided, "decided")
    answers = OutboxMessage.objects.filter(
        kind="answer_callback", status="sent", callback__name__startswith="manager_approval"
    )
    assert found["ApprovalsProcessed"] == {(): answers.filter(payload__has_key="decision").count()}
    assert found["ApprovalsProcessed"][()] == 2
    failures: Counter[tuple[str, ...]] = Counter()
    for kind, noted in OutboxMessage.objects.values_list("kind", "failures"):
        failures[kind,] += len(noted)
    del failures["webhook",]  # counted as WebhookFailures
    assert found["DeliveryFailures"] == +failures
    attempts = WebhookAttempt.objects
    assert found["WebhookFailures"] == {(): attempts.exclude(status_code=204).count()}
    assert counted.times("WebhookLatency") == sorted(attempts.values_list("took_ms", flat=True))
    errors = {("experian",): 1, ("fraud",): 1}
    assert found["ProviderErrors"] == errors
    latencies = Counter(line["provider"] for line in counted.lines() if "ProviderLatency" in line)
    assert latencies == {"equifax": 1, "experian": 1, "fraud": 1, "payout": 2}


def seconds(applications: Any, until: str) -> list[float]:
    rows = applications.values_list("submitted_at", f"{until}_at")
    return sorted((end - begin).total_seconds() for begin, end in rows)


def test_page_and_dashboard_have_the_metrics_of_the_table() -> None:
    names = {each.name for each in METRICS}
    page = (Path(project.BASE_DIR) / "docs" / "observability.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, `]*)\|", page, re.MULTILINE)
    assert {(name, unit, tuple(re.findall(r"`(\w+)`", by))) for name, unit, by in rows} == {
        (each.name, each.unit.value, each.by) for each in METRICS
    }
    assert {name for _, _, shown in PICTURES for name in shown} == names
    assert {each.metric for each in ALARMS if each.namespace == NAMESPACE} <= names


def test_nothing_is_written_unless_a_place_is_named(
    settings: Any, capsys: pytest.CaptureFixture[str], officer: User
) -> None:
    casework.submit(officer)
    assert capsys.readouterr().out == ""
    settings.LOANOFFICE_METRICS = "stdout"
    casework.submit(officer)
    line = json.loads(capsys.readouterr().out)
    assert (line["ApplicationsSubmitted"], line["channel"]) == ([1.0], "admin")


def test_dimension_that_is_not_in_the_table_is_refused(counted: Counted) -> None:
    with pytest.raises(ValueError, match="ApplicationsFunded is counted by"):
        metrics.emit({metrics.APPLICATIONS_FUNDED: 1}, reference="LOAN-22223333")
    with pytest.raises(ValueError, match="ColdStart is counted by"):
        metrics.emit({metrics.COLD_START: 1})
    assert counted.lines() == []


def test_metric_that_cannot_be_written_harms_no_loan(settings: Any, officer: User) -> None:
    settings.LOANOFFICE_METRICS = "/nowhere/at/all"
    assert casework.submit(officer).status == "submitted"
