"""An application that is stuck, and the timeline entry of what was done about it."""

import pytest
from django.db import transaction

from applications.models import ApplicationEvent, LoanApplication
from tests.casework import run_of
from workflows import handover
from workflows.models import Incident


@pytest.fixture
def stuck(waiting: LoanApplication) -> LoanApplication:
    with transaction.atomic():
        handover.application_hand_over(
            run_of(waiting), kind=Incident.Kind.WORKFLOW_FAILED, sentence="Stuck."
        )
    waiting.refresh_from_db()
    return waiting


def audit(kind: str) -> ApplicationEvent:
    event = ApplicationEvent.objects.get(kind=kind)
    assert event.is_internal
    return event
