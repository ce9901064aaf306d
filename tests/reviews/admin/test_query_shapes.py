"""No list of tasks looks rows up in a long subquery.

PostgreSQL joins up to eight relations (``join_collapse_limit``) in the order that it finds best,
and more in the order in which they stand: what selects a person's tasks is then run for every task.
"""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reviews.admin import bulk_preview
from tests import casework
from tests.applications.admin.conftest import LIST, Login

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TASKS = "/admin/reviews/reviewtask/"
MOST_RELATIONS = 3


def subqueries(sql: str) -> Iterator[str]:
    """Each ``IN (SELECT ...)`` of a statement, to its closing parenthesis."""
    for found in re.finditer(r"\bIN \((?=SELECT)", sql):
        depth, at = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            at += 1
        yield sql[found.end() : at - 1]


def relations(sql: str) -> int:
    return len(re.findall(r'\b(?:FROM|JOIN) "', sql))


@pytest.mark.parametrize(
    ("address", "posted"),
    [
        (f"{TASKS}?mine=yes", None),
        (TASKS, None),
        ("/admin/open-tasks/", None),
        ("/admin/", None),
        (f"{TASKS}?mine=yes", "approve_selected"),
        (f"{TASKS}?status__exact=open", "decline_selected"),
        (LIST, "approve_selected"),
        (f"{TASKS}?mine=yes", "claim_selected"),
        (f"{TASKS}?mine=yes", "release_selected"),
    ],
)
def test_page_of_tasks_looks_nothing_up_in_a_long_subquery(
    login: Login,
    officer: User,
    manager: User,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    posted: str | None,
) -> None:
    casework.many_waiting_for_manager(officer, 3)
    monkeypatch.setattr(bulk_preview, "MOST", 2)
    client = login(manager)
    action = {"action": posted, "index": "0", "select_across": "1", "_selected_action": ["1"]}
    with CaptureQueriesContext(connection) as ran:
        answer = client.get(address) if posted is None else client.post(address, action)
    assert answer.status_code in {200, 302}
    if posted in {"approve_selected", "decline_selected"}:
        narrowed = answer.context["narrowed"]
        assert (narrowed.matching, narrowed.taken) == ("3", 2)
    long = [
        query["sql"]
        for query in ran.captured_queries
        if any(relations(each) > MOST_RELATIONS for each in subqueries(query["sql"]))
    ]
    assert long == []
