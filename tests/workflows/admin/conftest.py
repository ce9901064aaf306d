"""Clients that are logged in, and everybody who may look but not press."""

import pytest
from django.contrib.auth.models import Permission, User

from applications.models import LoanApplication
from tests.applications.admin.conftest import login
from tests.permissions import permit
from tests.workflows import trouble
from workflows import engine

__all__ = ["login"]


@pytest.fixture(autouse=True)
def _engine_is_asked_anew() -> None:
    """A test that found nobody at the engine's address does not make the next one shy."""
    engine.forget_client()


@pytest.fixture
def onlookers(auditor: User, manager: User, officer: User, make_user: object) -> dict[str, User]:
    """Those who see everything and may not press what Operations may; ``viewer`` has no role."""
    viewer = make_user("viewer")
    views = Permission.objects.filter(codename__startswith="view_")
    permit(viewer, *views.values_list("codename", flat=True))
    return {"auditor": auditor, "manager": manager, "officer": officer, "viewer": viewer}


@pytest.fixture
def unknown(officer: User) -> LoanApplication:
    return trouble.payout_unknown(officer).application


@pytest.fixture
def refused(officer: User) -> LoanApplication:
    return trouble.payout_refused(officer).application
