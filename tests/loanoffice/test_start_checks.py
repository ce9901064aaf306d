"""Production does not serve from a database that has what is public in the demo."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from devtools.demo_data import create_demo_data
from loanoffice import start_checks
from loanoffice.demo_logins import ROLES
from loanoffice.start_checks import StartChecksMiddleware, reasons_to_refuse
from partners.models import PartnerKey

pytestmark = pytest.mark.django_db


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("served")


def test_empty_database_is_served() -> None:
    assert reasons_to_refuse() == []
    assert StartChecksMiddleware(answer)(HttpRequest()).content == b"served"


def test_every_login_and_the_key_of_the_demo_are_named_at_once() -> None:
    create_demo_data()
    with pytest.raises(ImproperlyConfigured) as refused:
        StartChecksMiddleware(answer)
    for name in ROLES:
        assert name in str(refused.value)
    assert "partner key of the demo" in str(refused.value)


def test_login_with_a_name_of_the_demo_and_another_password_is_served() -> None:
    User.objects.create_user("admin", password="not-what-everybody-knows")
    assert reasons_to_refuse() == []


def test_deactivated_logins_and_a_revoked_key_are_served() -> None:
    create_demo_data()
    User.objects.update(is_active=False)
    PartnerKey.objects.update(revoked_at=timezone.now())
    assert reasons_to_refuse() == []


def test_database_that_cannot_be_asked_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> list[str]:
        raise OperationalError("no route")

    with monkeypatch.context() as outage:
        outage.setattr(start_checks, "CHECKS", (unreachable,))
        middleware = StartChecksMiddleware(answer)
        assert middleware(HttpRequest()).content == b"served"
        assert not middleware.passed
    create_demo_data()
    with pytest.raises(ImproperlyConfigured):
        middleware(HttpRequest())
    User.objects.update(is_active=False)
    PartnerKey.objects.update(revoked_at=timezone.now())
    assert middleware(HttpRequest()).content == b"served"
    assert middleware.passed
