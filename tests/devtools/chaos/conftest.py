"""An office after a day that went well."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from partners.models import Partner
from tests.devtools.chaos.office import (
    Office,
    open_office,
)


@pytest.fixture
def office(
    partner: Partner, make_user: Callable[..., User], settings: Any, tmp_path: Any
) -> Office:
    settings.MEDIA_ROOT = tmp_path
    people = {
        "manager": make_user("manager", Role.MANAGER),
        "senior": make_user("senior", Role.SENIOR_MANAGER),
        "senior2": make_user("senior2", Role.SENIOR_MANAGER),
        "analyst": make_user("analyst", Role.RISK_ANALYST),
    }
    return open_office(partner, people)
