"""Fills in the forms of bulk decisions as a browser does, and reads the page of their progress."""

import re
from typing import Any

from django.test import Client

from applications.models import LoanApplication
from tests.applications.admin.conftest import LIST

DECIDE = {outcome: f"{LIST}decide/{outcome}/" for outcome in ("approve", "decline")}
RUNS = "/admin/reviews/bulkdecision/"
FIELD = re.compile(
    r'<input type="(?:hidden|checkbox)" name="(row|run|shown|reason|reason_code)"'
    r' value="([^"]*)"( checked)?'
)


def choose(client: Client, outcome: str, applications: list[LoanApplication]) -> Any:
    """Tick the rows, choose the action, press "Run"."""
    return client.post(
        LIST,
        {
            "action": f"{outcome}_selected",
            "index": "0",
            "_selected_action": [application.pk for application in applications],
        },
    )


def row(application: LoanApplication) -> str:
    """Return the form's fields of a row: application, task, version."""
    return f"{application.pk}:{application.review_tasks.get().pk}:{application.version}"


def typed(page: Any, **more: str) -> dict[str, Any]:
    """Return the fields that a browser sends for a page: hidden ones and ticked boxes."""
    found = FIELD.findall(page.content.decode())
    return {
        **{name: value for name, value, _ in found if name != "row"},
        "row": [value for name, value, ticked in found if name == "row" and ticked],
        **more,
    }


def decide(
    client: Client, applications: list[LoanApplication], outcome: str = "approve", **more: str
) -> Any:
    """Choose, preview, press; the answer to the press."""
    return client.post(DECIDE[outcome], typed(choose(client, outcome, applications), **more))


def numbers(page: Any) -> dict[str, int]:
    """Return the progress that the page shows."""
    return {row.key: row.number for row in page.context["counts"] if row.number}
