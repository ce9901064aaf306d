"""An office after a day that went well."""

from copy import deepcopy
from typing import Any

import pytest
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from accounts.roles import Role
from devtools.chaos.acknowledgements import Acknowledgements
from partners.models import Partner
from tests.casework import staff
from tests.devtools.chaos.office import PLANNED, Office, open_office

PEOPLE = {
    "manager": Role.MANAGER,
    "senior": Role.SENIOR_MANAGER,
    "senior2": Role.SENIOR_MANAGER,
    "analyst": Role.RISK_ANALYST,
}


@pytest.fixture(scope="module")
def rows(
    module_rows: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Office, str]:
    """The office's rows, and the folder of its documents."""
    media = str(tmp_path_factory.mktemp("media"))
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=media):
        people = {name: staff(name, role) for name, role in PEOPLE.items()}
        return open_office(Partner.objects.create(name="Maple Brokers"), people), media


@pytest.fixture
def office(db: None, rows: tuple[Office, str], settings: Any) -> Office:
    made, settings.MEDIA_ROOT = rows
    answers = Acknowledgements(PLANNED)
    answers.applications = deepcopy(made.acknowledgements.applications)
    return Office(deepcopy(made.partner), deepcopy(made.people), answers, list(made.engine))
