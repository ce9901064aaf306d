"""Counts beside the choices of a filter: on demand, in an index, and up to a limit."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role
from core.admin import choice_counts
from core.admin.base import NoDeleteAdmin
from tests.applications.admin.conftest import Login, login
from tests.plans import plan
from tests.workflows import trouble
from workflows.models import Incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
__all__ = ["login"]

LIST = "/admin/workflows/incident/"
COUNTED: dict[type[Any], Any] = {
    model: each
    for model, each in admin.site._registry.items()
    if isinstance(each, NoDeleteAdmin) and each.counts_status
}


def words(answer: Any) -> list[str]:
    html = answer.content.decode()
    return re.findall(r"<a href=\"\?[^\"]*status__exact[^\"]*\"[^>]*>([^<]*)</a>", html)


def test_statuses_are_counted_on_demand_up_to_a_limit_and_not_beside_another_filter(
    login: Login, officer: User, operations: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice_counts, "MOST", 2)
    trouble.outage(officer, 4)
    first = Incident.objects.latest("pk")
    Incident.objects.filter(pk=first.pk).update(
        status=Incident.Status.ACKNOWLEDGED, acknowledged_by=operations
    )
    client = login(operations)

    plain = client.get(LIST)
    counted = client.get(f"{LIST}?_facets=yes")
    beside = client.get(f"{LIST}?_facets=yes&kind__exact=stopped")
    mine = client.get(f"{LIST}?mine=yes")

    assert words(plain) == ["Open", "Acknowledged", "Resolved"]
    assert 'id="to-counts">Show counts' in plain.content.decode()
    assert words(counted) == ["Open (2+)", "Acknowledged (1)", "Resolved (0)"]
    assert 'id="to-counts">Hide counts' in counted.content.decode()
    assert words(beside) == ["Open", "Acknowledged", "Resolved"]
    assert "to-counts" not in beside.content.decode()
    assert list(mine.context["cl"].result_list) == [first]


def test_counts_of_each_list_are_one_statement_that_reads_an_index(
    login: Login, make_user: Callable[..., User]
) -> None:
    client = login(make_user("root", *Role, is_superuser=True))
    assert len(COUNTED) == 8
    for model in COUNTED:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        client.get(address)
        with CaptureQueriesContext(connection) as asked:
            client.get(f"{address}?_facets=yes")
        [count] = [each["sql"] for each in asked if "AS counted" in each["sql"]]
        limits = count.count(f"LIMIT {choice_counts.MOST + 1}")
        assert limits == len(model._meta.get_field("status").choices), model
        if connection.vendor == "sqlite":
            how = plan(count)
            assert how.count(f"SEARCH {model._meta.db_table}") + how.count("SEARCH U0") == limits, (
                how
            )
            assert f"SCAN {model._meta.db_table}" not in how
