"""The list of review tasks costs the same however many there are."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devtools.seeding.seed import SeedRequest, seed
from tests.applications.admin.conftest import Login

TASKS = "/admin/reviews/reviewtask/"


@pytest.mark.parametrize("mine", ["", "?mine=yes"])
def test_list_of_tasks_costs_the_same_queries_however_many_there_are(
    login: Login, manager: User, mine: str
) -> None:
    client = login(manager)
    numbers = []
    for _ in range(2):
        seed(SeedRequest(closed=0, standing=120), now=timezone.now())
        client.get(TASKS + mine)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(TASKS + mine).status_code == 200
        numbers.append(len(captured))

    assert numbers[0] == numbers[1] <= 14
