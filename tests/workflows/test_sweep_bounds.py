"""Each job of the sweep is bounded, so that a sweep ends in the time that a function is given."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models.documents import StoredUpload
from audit import sealing
from core.models import FormSubmission
from partners.models import IdempotencyKey, Partner, RateCounter
from reviews.models import Notification, ReviewTask
from reviews.services.mail_choices import digest_at
from tests.audit.seals import look
from tests.casework import many_waiting_for_manager
from tests.webhooks.conftest import submit
from tests.workflows.lambda_stub import LambdaStub
from webhooks import delivery, retention
from webhooks.models import WebhookEndpoint, WebhookEvent
from workflows import digests, review_deadlines, sweep, undecidable
from workflows.models import (
    CallbackRequest,
    Execution,
    Incident,
    OutboxMessage,
    PendingCallback,
    PeriodicRun,
    SweepRun,
)
from workflows.outbox import queue, webhook_pass
from workflows.reconcile import questions

pytestmark = pytest.mark.django_db

ROWS = 3
LONG_AGO = timezone.now() - timedelta(days=400)

type Run = Callable[[], int]


def forgets(name: str) -> Run:
    """One run of a job that deletes what is old, here two rows at the most."""
    job = sweep.FORGETTING[name][1]
    assert isinstance(job, partial)
    forget, most = job.args
    assert 0 < most <= 10_000
    return lambda: int(job.func(forget, 2)["forgotten"])


def idempotency_keys(officer: User) -> Run:
    for number in range(ROWS):
        IdempotencyKey.objects.create(caller="staff/1", key=str(number), created_at=LONG_AGO)
    return forgets("forget_idempotency_keys")


def uploads(officer: User) -> Run:
    for number in range(ROWS):
        StoredUpload.objects.create(path=f"nowhere/{number}", begun_at=LONG_AGO)
    return forgets("forget_uploads")


def callback_requests(officer: User) -> Run:
    many_waiting_for_manager(officer, 1)
    callback = PendingCallback.objects.get()
    for number in range(ROWS):
        CallbackRequest.objects.create(
            identifier=str(number), callback=callback, received_at=LONG_AGO
        )
    return forgets("forget_callback_requests")


def form_submissions(officer: User) -> Run:
    for number in range(ROWS):
        FormSubmission.objects.create(user=officer, token_hash=str(number), created_at=LONG_AGO)
    return forgets("forget_form_submissions")


def old_notifications(officer: User) -> Run:
    for number in range(ROWS):
        Notification.objects.create(user=officer, key=str(number), created_at=LONG_AGO)
    return forgets("forget_notifications")


def notifications_that_are_over(officer: User) -> Run:
    many_waiting_for_manager(officer, ROWS)
    ReviewTask.objects.update(status="expired")
    for task in ReviewTask.objects.all():
        Notification.objects.create(user=officer, key=str(task.pk), task=task)
    return forgets("forget_notifications")


def people_with_something_to_say(officer: User) -> Run:
    User.objects.update(email="")
    for number in range(ROWS):
        person = User.objects.create_user(f"p{number}", f"p{number}@example.com", is_staff=True)
        Notification.objects.create(user=person, key=str(number), kind="proposal_closed")
    at = digest_at(timezone.localdate() + timedelta(days=1))
    job = partial(digests.digests_write, now=at, seconds=0.0)
    return lambda: int(sweep.now_and_then(digests.NAME, timedelta(), job)["written"])


def rate_counters(officer: User) -> Run:
    for number in range(ROWS):
        RateCounter.objects.create(name=str(number), full_at=0, allowed=True)
    return forgets("forget_rate_counters")


def sweep_runs(officer: User) -> Run:
    for number in range(ROWS):
        SweepRun.objects.create(
            minute=LONG_AGO + timedelta(minutes=number),
            ended_at=LONG_AGO,
            seconds=0.1,
            outbox_pending=0,
            outbox_oldest_seconds=0,
            incidents_open=0,
            tasks_overdue=0,
        )
    return forgets("forget_sweep_runs")


def webhook_events(officer: User) -> Run:
    partner = Partner.objects.create(name="Maple Brokers")
    application = submit(partner)
    for number in range(ROWS):
        WebhookEvent.objects.create(
            public_id=f"evt_{number}", partner=partner, application=application, created_at=LONG_AGO
        )
    return lambda: retention.forget()["forgotten"]


def webhook_secrets(officer: User) -> Run:
    partner = Partner.objects.create(name="Maple Brokers")
    for number in range(ROWS):
        WebhookEndpoint.objects.create(
            partner=partner, url=f"https://example.org/{number}", previous_until=LONG_AGO
        )
    return lambda: retention.forget()["secrets"]


def undecidable_tasks(officer: User) -> Run:
    many_waiting_for_manager(officer, ROWS)
    User.objects.update(is_active=False)
    return lambda: int(sweep._look_for_deciders(0.0)["changed"])


def undecidable_incidents(officer: User) -> Run:
    for application in many_waiting_for_manager(officer, ROWS):
        Incident.objects.create(
            kind="nobody_can_decide", key=application.reference, application=application
        )
    return lambda: int(sweep._look_for_deciders(0.0)["ended"])


def seals(officer: User) -> Run:
    for _ in range(ROWS):
        look()
    return lambda: sealing.seals_make(seconds=0.0, rows_at_once=1).rows


def seal_copies(officer: User) -> Run:
    for _ in range(ROWS):
        look()
        sealing.seals_make()
    return lambda: int(sweep._seal(0.0)["copied"])


def overdue_tasks(officer: User) -> Run:
    many_waiting_for_manager(officer, ROWS)
    now = ReviewTask.objects.earliest("expires_at").expires_at + timedelta(seconds=1)
    ReviewTask.objects.update(opened_at=LONG_AGO, due_at=LONG_AGO, expires_at=LONG_AGO)
    return lambda: review_deadlines.pass_deadlines(now=now, seconds=0.0)["expired"]


def lost_executions(officer: User) -> Run:
    many_waiting_for_manager(officer, ROWS)
    OutboxMessage.objects.update(status="sent")
    Execution.objects.update(queued_at=timezone.now() - timedelta(hours=1))
    PeriodicRun.objects.create(name=sweep.RECONCILE)
    sweep._reconcile(0.0)  # what the engine lists
    return lambda: int(sweep._reconcile(0.0)["findings"])


# Each job of the sweep with what may grow for it.
GROWS: dict[str, tuple[Callable[[User], Run], ...]] = {
    "forget_idempotency_keys": (idempotency_keys,),
    "forget_uploads": (uploads,),
    "forget_callback_requests": (callback_requests,),
    "forget_form_submissions": (form_submissions,),
    digests.NAME: (people_with_something_to_say,),
    "forget_notifications": (old_notifications, notifications_that_are_over),
    "forget_rate_counters": (rate_counters,),
    "forget_sweep_runs": (sweep_runs,),
    "forget_webhooks": (webhook_events, webhook_secrets),
    "look_for_deciders": (undecidable_tasks, undecidable_incidents),
    "seal": (seals, seal_copies),
    "reconcile": (lost_executions,),
}


def test_each_job_is_in_the_table() -> None:
    assert set(GROWS) == set(sweep.jobs())


@pytest.mark.parametrize(
    "grows", [*(each for some in GROWS.values() for each in some), overdue_tasks]
)
def test_run_is_bounded_and_the_next_one_goes_on(
    grows: Callable[[User], Run],
    officer: User,
    decider: User,
    aws: LambdaStub,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.LOANOFFICE_SEAL_FILE = tmp_path / "seals"
    aws.known["/2025-12-01/functions/loan-approval/durable-executions"] = {"DurableExecutions": []}
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    monkeypatch.setattr(undecidable, "MOST", 2)
    monkeypatch.setattr(questions, "GRACE", 30.0)  # this machine may be slow
    run = grows(officer)
    done = [run() for _ in range(ROWS + 1)]
    assert max(done) <= 2
    assert sum(done) >= ROWS
    assert done[-1] == 0


def test_sending_ends_with_its_time_and_the_next_sweep_goes_on(
    officer: User, aws: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_waiting_for_manager(officer, 1)
    execution = Execution.objects.get()
    OutboxMessage.objects.all().delete()
    OutboxMessage.objects.bulk_create(
        OutboxMessage(kind="start_execution", key=str(number), execution=execution, payload={})
        for number in range(3 * queue.BATCH)
    )
    ticks = count(step=webhook_pass.LONGEST_PASS / 2)
    monkeypatch.setattr(queue, "time", SimpleNamespace(monotonic=lambda: next(ticks)))

    sent = [queue.send_due(seconds=webhook_pass.LONGEST_PASS) for _ in range(4)]

    assert sent == [queue.BATCH, queue.BATCH, queue.BATCH, 0]


def test_parts_of_a_sweep_fit_into_the_time_of_a_function() -> None:
    stages = json.loads(Path("zappa_settings.json").read_text())
    given = stages["production"]["timeout_seconds"]
    webhooks_end = (
        sweep.DEADLINES_FOR + webhook_pass.LONGEST_PASS + delivery.CONNECT + delivery.ANSWER
    )
    assert webhooks_end <= sweep.LONGEST - 2
    assert given > sweep.LONGEST + questions.GRACE
    assert sweep.AGAIN.total_seconds() > given
