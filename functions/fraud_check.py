"""The fraud check: a plain function that asks the fraud service and answers a callback.

It is invoked asynchronously, so it may run twice; the first answer stands.
"""

import functions.setup  # noqa: F401, I001 - Django first

import logging
from typing import Any

from applications.models import LoanApplication
from workflows import services
from workflows.database import in_database
from workflows.providers import registry
from workflows.providers.interfaces import Subject

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """``event``: ``{"application": reference, "callback_id": ...}``.

    Returns ``{"result": "passed" | "flagged", "applied": bool}``. Raises what the fraud
    service raises: Lambda then invokes the function again.
    """
    subject = in_database(
        lambda: Subject.of(LoanApplication.objects.get(reference=event["application"]))
    )
    verdict = registry.fraud_service().check(subject)
    applied = in_database(
        lambda: services.callback_answer(
            callback_id=event["callback_id"], answer={"result": verdict.value}
        )
    )
    logger.info(
        "Fraud check answered", extra={"application": subject.reference, "applied": applied}
    )
    return {"result": verdict.value, "applied": applied}
