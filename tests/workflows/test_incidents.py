"""Services of Operations for incidents, and for messages that were given up."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import ApplicationEvent, LoanApplication
from tests.workflows.conftest import audit
from tests.workflows.lambda_stub import LambdaStub
from workflows import incidents
from workflows import operations as ops
from workflows.errors import NothingToResend, StillStuck
from workflows.models import Execution, Incident, OutboxMessage
from workflows.outbox import queue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("decider")]


@pytest.fixture
def dead(waiting: LoanApplication, aws: LambdaStub) -> OutboxMessage:
    """A start that nobody could send, with its incident."""
    OutboxMessage.objects.exclude(kind="start_execution").delete()
    OutboxMessage.objects.update(attempts=queue.TRIES - 1)
    aws.answers.append((503, "ServiceException"))
    queue.send_due()
    message = OutboxMessage.objects.get()
    assert message.status == "dead"
    return message


def test_message_that_was_given_up_is_sent_again_and_its_incident_resolved(
    dead: OutboxMessage, operations: User, aws: LambdaStub
) -> None:
    again = ops.message_resend(message=dead, user=operations)
    assert (again.status, again.attempts) == ("pending", 0)
    incident = Incident.objects.get()
    assert (incident.status, incident.resolved_by, incident.note) == (
        "resolved",
        operations,
        "Sent again.",
    )
    assert audit("resent").data == {"key": dead.key}
    assert queue.send_due() == 1
    with pytest.raises(NothingToResend, match="it is sent"):
        ops.message_resend(message=dead, user=operations)


def test_message_that_fails_again_opens_another_incident(
    dead: OutboxMessage, operations: User, aws: LambdaStub
) -> None:
    ops.message_resend(message=dead, user=operations)
    OutboxMessage.objects.update(attempts=queue.TRIES - 1)
    aws.answers.append((503, "ServiceException"))
    queue.send_due()
    assert sorted(Incident.objects.values_list("status", flat=True)) == ["open", "resolved"]


def test_incident_of_a_message_that_is_waited_for_is_resolved_by_sending_it_again(
    dead: OutboxMessage, operations: User
) -> None:
    incidents.incident_resolve(incident=Incident.objects.get(), user=operations, note="It is back.")
    dead.refresh_from_db()
    assert (dead.status, dead.attempts) == ("pending", 0)
    assert Incident.objects.get().status == "resolved"


def test_incident_of_a_message_that_nobody_waits_for_any_more_is_only_resolved(
    dead: OutboxMessage, operations: User
) -> None:
    Execution.objects.update(status="STOPPED", ended_at=timezone.now())
    incidents.incident_resolve(incident=Incident.objects.get(), user=operations, note="It is over.")
    dead.refresh_from_db()
    assert dead.status == "dead"


def test_message_sent_again_does_not_resolve_the_last_word_about_a_stuck_case(
    dead: OutboxMessage, operations: User
) -> None:
    LoanApplication.objects.update(status="needs_attention")
    ops.message_resend(message=dead, user=operations)
    assert Incident.objects.get().status == "open"


def test_incident_is_acknowledged_once_and_resolved_with_a_note(
    waiting: LoanApplication, operations: User
) -> None:
    incidents.incident_open(
        kind=Incident.Kind.CONTRADICTION, key="k", application=waiting, sentence="Two answers."
    )
    incident = Incident.objects.get()
    first = incidents.incident_acknowledge(incident=incident, user=operations)
    assert (first.status, first.acknowledged_by) == ("acknowledged", operations)
    again = incidents.incident_acknowledge(incident=incident, user=operations)
    assert again.acknowledged_at == first.acknowledged_at
    resolved = incidents.incident_resolve(
        incident=incident, user=operations, note=" The first counts. "
    )
    incidents.incident_resolve(incident=incident, user=operations, note="Twice.")
    resolved.refresh_from_db()
    assert (resolved.status, resolved.resolved_by, resolved.note) == (
        "resolved",
        operations,
        "The first counts.",
    )
    assert audit("incident_resolved").data["note"] == "The first counts."
    assert ApplicationEvent.objects.filter(kind="incident_acknowledged").count() == 1


def test_last_incident_of_a_stuck_case_is_not_resolved_by_hand(
    stuck: LoanApplication, operations: User
) -> None:
    incident = Incident.objects.get()
    with pytest.raises(StillStuck):
        incidents.incident_resolve(incident=incident, user=operations, note="Never mind.")
    incidents.incident_open(
        kind=Incident.Kind.CONTRADICTION, key="k", application=stuck, sentence="Two answers."
    )
    incidents.incident_resolve(incident=incident, user=operations, note="See the other.")
    assert Incident.objects.exclude(status="resolved").count() == 1
