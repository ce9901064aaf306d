"""Read the results of durable operations: what a step missed or raised, what a callback reports."""

import json
from collections.abc import Callable
from decimal import InvalidOperation
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, CallbackTimeoutError, StepError
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from workflows.errors import AnswerDiffers, NotApproved, PayoutRefused, PayoutUnknown
from workflows.models import Incident

TIMED_OUT = "timed out"

INCIDENTS = {
    PayoutRefused.__name__: Incident.Kind.PAYOUT_REFUSED,
    PayoutUnknown.__name__: Incident.Kind.PAYOUT_UNKNOWN,
    AnswerDiffers.__name__: Incident.Kind.ANSWER_DIFFERS,
    NotApproved.__name__: Incident.Kind.NOT_APPROVED,
}


# Their messages are those of a driver: table names, SQL, sometimes values of a row.
OF_THE_DATABASE = {
    each.__name__
    for each in (
        DatabaseError,
        DataError,
        IntegrityError,
        InternalError,
        NotSupportedError,
        OperationalError,
        ProgrammingError,
    )
} | {InvalidOperation.__name__}


def missing_in(done: Any) -> dict[str, int]:
    """Return what a step missed on record; empty when it did its work."""
    found = done.get("missing") if isinstance(done, dict) else None
    return found if isinstance(found, dict) else {}


def reported(result: Callable[[], str | None], field: str) -> str:
    """Return what the engine reports of a callback: ``TIMED_OUT``, a word, or nothing at all.

    A failure, and anything that is not a JSON object with that field, only wakes the workflow.
    """
    try:
        answer = json.loads(result() or "{}")
    except CallbackTimeoutError:
        return TIMED_OUT
    except (CallbackError, ValueError, RecursionError):
        return ""
    said = answer.get(field) if isinstance(answer, dict) else None
    return said if isinstance(said, str) and said != TIMED_OUT else ""


def kind_of(error: StepError) -> str:
    """Return the class name of a step's error; the checkpoint has it with its module."""
    return error.error_type.rpartition(".")[2]


def incident_of(error: StepError) -> tuple[Incident.Kind, str]:
    """Return the kind and the sentence of the incident for a step's final error."""
    kind = INCIDENTS.get(kind_of(error), Incident.Kind.WORKFLOW_FAILED)
    if kind_of(error) in OF_THE_DATABASE:
        return kind, (
            "The workflow failed: the database did not take what a step wrote "
            f"({kind_of(error)}). The function's log says where. Restart the application when "
            "the cause is mended."
        )
    says_all = kind in {Incident.Kind.ANSWER_DIFFERS, Incident.Kind.NOT_APPROVED}
    return kind, (error.message or str(error)) if says_all else f"The workflow failed: {error}"
