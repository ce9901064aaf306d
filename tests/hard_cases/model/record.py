"""The whole record as plain values, read at once."""

import json
from decimal import Decimal
from typing import Any

from django.db import connection

from applications.models import (
    ApplicationEvent,
    CreditReport,
    Disbursement,
    Document,
    Instalment,
    LoanApplication,
    LoanOffer,
    RiskAssessment,
)
from reviews.models import Delegation, Notification, ReviewDecision, ReviewTask
from tests import append_only
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEvent
from workflows.models import (
    Execution,
    Incident,
    OutboxMessage,
    PendingCallback,
    PeriodicRun,
    SimulatedPayout,
)

type Row = dict[str, Any]

ALL = (
    Notification,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEvent,
    LoanApplication,
    ApplicationEvent,
    CreditReport,
    RiskAssessment,
    ReviewTask,
    ReviewDecision,
    Delegation,
    LoanOffer,
    Instalment,
    Document,
    Disbursement,
    Execution,
    PendingCallback,
    OutboxMessage,
    Incident,
    SimulatedPayout,
    PeriodicRun,
)


class Record:
    """Rows by column, oldest first, as the database has them: an example looks often."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            self.applications = _columns(cursor, LoanApplication)
            self.tasks = _columns(cursor, ReviewTask)
            self.decisions = _columns(cursor, ReviewDecision)
            self.executions = _columns(cursor, Execution)
            self.callbacks = _columns(cursor, PendingCallback)
            self.messages = _columns(cursor, OutboxMessage)
            self.incidents = _columns(cursor, Incident)
            self.ledger = _columns(cursor, Disbursement)
            self.events = _columns(cursor, ApplicationEvent)
        for row in self.applications:
            row["loan_amount"] = _money(row["loan_amount"])
        for row in self.ledger:
            row["amount"] = _money(row["amount"])
        for row in self.callbacks:
            row["answer"] = json.loads(row["answer"] or "null")
        self.case = {row["id"]: row for row in self.applications}

    def of_case(self, rows: list[Row], case: Row) -> list[Row]:
        """Those of ``rows`` that belong to a case."""
        return [row for row in rows if row["application_id"] == case["id"]]

    def attempt_of(self, execution_id: int) -> tuple[int, int]:
        """Application and attempt that an execution carries."""
        execution = next(row for row in self.executions if row["id"] == execution_id)
        return execution["application_id"], execution["attempt"]


def _columns(cursor: Any, model: Any) -> list[Row]:
    cursor.execute(f'SELECT * FROM "{model._meta.db_table}" ORDER BY id')
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _money(stored: object) -> Decimal:
    return Decimal(str(stored)).quantize(Decimal("0.01"))


def everything() -> dict[str, list[Row]]:
    """Every row of every table that a case may touch."""
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in ALL}


def wipe() -> None:
    """An empty office. Events may not be deleted by the product, so tables are named here."""
    with append_only.lifted(), connection.cursor() as cursor:
        for model in ALL:
            cursor.execute(f'DELETE FROM "{model._meta.db_table}"')
