"""A case that waits for the vendor, and the address at which it is answered."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.models import LoanApplication
from tests import casework
from tests.workflows.callbacks.vendor import SECRET
from workflows.callbacks.tokens import callback_url_issue

VENDOR_URL = "https://vendor.example/checks"


@pytest.fixture
def vendor(settings: Any) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_URL = VENDOR_URL
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [SECRET]


def wait_for_vendor(application: LoanApplication, callback_id: str = "F") -> str:
    """The application waits under this callback; the path at which that is answered."""
    casework.ask_fraud_check(application, callback_id=callback_id)
    return path_of(callback_id)


def path_of(callback_id: str) -> str:
    door = callback_url_issue(callback_id=callback_id)
    assert door is not None
    return door.url.removeprefix("http://127.0.0.1:8000")


@pytest.fixture
def asked(vendor: None, officer: User) -> LoanApplication:
    """An application that waits for the vendor under the callback ``F``."""
    application = casework.submit(officer)
    casework.assess(application)
    wait_for_vendor(application)
    return application


@pytest.fixture
def path(asked: LoanApplication) -> str:
    return path_of("F")
