"""Ask the fraud service and answer the execution's callback: a plain function.

Where a fraud vendor is set, it asks the vendor, which answers at our callback URL later. It is
invoked asynchronously, so it may run twice; the first answer stands.
"""

import functions.setup  # noqa: F401, I001 - Django first

import logging
from typing import Any

from applications.models import LoanApplication
from audit.tracing import work_on
from core import invocations
from core.traces import spans
from workflows.callbacks import pending
from workflows.callbacks.pending import CallbackReceipt
from workflows.callbacks.tokens import callback_url_issue
from workflows.db_threads import run_in_db_thread
from workflows.providers import registry
from workflows.providers.catalogue import FRAUD
from workflows.providers.interfaces import FraudVendor, Screening, Subject
from workflows.providers.measuring import measured

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Check ``{"application": reference, "callback_id": ..., "execution", "request_id"}``.

    Returns ``{"result": "passed" | "flagged", "applied": bool}``; when a vendor was asked,
    ``asked``, or ``closed`` when the callback is no longer pending. Raises what the fraud service
    or the vendor raises: Lambda then invokes the function again. While traces are on, the event
    has the ``traceparent`` of the step that asks.
    """
    invocations.begin(context)
    about = work_on(
        execution=event.get("execution", ""),
        application=event["application"],
        request=event.get("request_id", ""),
    )
    with about, spans.span("fraud check", parent=event.get("traceparent", "")):
        return _check(event)


def _check(event: dict[str, Any]) -> dict[str, Any]:
    subject = run_in_db_thread(
        lambda: Subject.of(LoanApplication.objects.get(reference=event["application"]))
    )
    vendor = registry.fraud_vendor()
    if vendor is not None:
        return _ask(vendor, subject, callback_id=event["callback_id"])
    with measured(FRAUD):
        verdict = registry.fraud_service().check(subject)
    receipt = run_in_db_thread(
        lambda: pending.callback_receive(
            callback_id=event["callback_id"], answer={"result": verdict.value}
        )
    )
    applied = receipt == CallbackReceipt.COUNTED
    logger.info(
        "Fraud check answered", extra={"application": subject.reference, "applied": applied}
    )
    return {"result": verdict.value, "applied": applied}


def _ask(vendor: FraudVendor, subject: Subject, *, callback_id: str) -> dict[str, Any]:
    callback = run_in_db_thread(lambda: callback_url_issue(callback_id=callback_id))
    if callback is None:
        return {"result": "closed", "applied": False}
    screening = Screening(
        name=callback.name, subject=subject, callback_url=callback.url, answer_by=callback.until
    )
    with measured(FRAUD):
        vendor.ask(screening)
    logger.info("Fraud vendor asked", extra={"application": subject.reference})
    return {"result": "asked", "applied": False}
