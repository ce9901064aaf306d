"""The sidebar and the menu of a phone mark the one entry whose page is shown."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests import casework

pytestmark = pytest.mark.django_db
TASKS = "/admin/reviews/reviewtask/"
MARKED = re.compile(r'<a href="([^"]*)" aria-current="page">([^<]*)</a>')


def test_one_entry_is_marked_also_on_the_pages_below_it(manager: User, officer: User) -> None:
    task = casework.waiting_for_manager(officer).review_tasks.get()
    client = Client()
    client.force_login(manager)
    mine, every = (f"{TASKS}?mine=yes", "My approvals"), (TASKS, "Review tasks")

    for address, entry in {
        f"{TASKS}?mine=yes": mine,
        f"{TASKS}?o=2&mine=yes": mine,
        TASKS: every,
        f"{TASKS}?mine=no": every,
        f"{TASKS}{task.pk}/change/": every,
    }.items():
        html = client.get(address).content.decode()
        sidebar, menu = (
            re.findall(rf'<nav[^>]*aria-label="{name}".*?</nav>', html, re.DOTALL)
            for name in ("Sidebar", "Menu")
        )
        assert MARKED.findall(sidebar[0]) == [entry], address
        assert MARKED.findall(menu[0]) == [entry], address
    assert MARKED.findall(client.get("/admin/").content.decode()) == []
