"""Production refuses to start half configured; demo data stay in the demo."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured

from applications.models import PartnerKey
from applications.services.partners import partner_key_recognise
from loanoffice.demo_data import PARTNER_KEY, ROLES, create_demo_data

COMPLETE = {
    "SECRET_KEY": "a-long-and-random-secret-key-for-this-test-of-the-settings-0123456789",
    "ALLOWED_HOSTS": "loans.example.com",
    "DATABASE_URL": "postgresql://user:secret@database.example.com/loanoffice",
    "LOAN_APPROVAL_FUNCTION": "loanoffice-production-loan-approval:live",
    "FRAUD_CHECK_FUNCTION": "loanoffice-production-fraud-check:live",
    "MEDIA_BUCKET": "loanoffice-media",
    "STATIC_BUCKET": "loanoffice-static",
    "AWS_DEFAULT_REGION": "ca-central-1",
}


def run(module: str, code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A fresh interpreter with nothing but this environment."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": module, **environment},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", ["production", "functions"])
def test_production_names_every_missing_variable(module: str) -> None:
    found = run(
        f"loanoffice.settings.{module}",
        "import django; django.setup()",
        SECRET_KEY="x",
        DATABASE_URL="sqlite:///x",
    )
    assert found.returncode != 0
    last = found.stderr.strip().splitlines()[-1]
    for name in set(COMPLETE) - {"SECRET_KEY", "DATABASE_URL", "AWS_DEFAULT_REGION"}:
        assert name in last
    assert "SECRET_KEY" not in last


def test_production_is_not_a_demo_and_has_no_embedded_engine() -> None:
    code = (
        "import django, json, os; django.setup()\n"
        "from django.conf import settings as s\n"
        "print(json.dumps([s.LOANOFFICE_DEMO, s.DEBUG, s.LOANOFFICE_SIMULATED_LATENCY,\n"
        "  os.environ.get('AWS_ENDPOINT_URL_LAMBDA'), s.SESSION_COOKIE_SECURE]))"
    )
    found = run("loanoffice.settings.production", code, **COMPLETE)
    assert json.loads(found.stdout) == [False, False, 0.0, None, True], found.stderr


def test_functions_load_neither_admin_nor_api() -> None:
    code = (
        "import sys\n"
        "import functions.loan_approval, functions.fraud_check\n"
        "heavy = ('django.contrib.admin', 'rest_framework', 'drf_spectacular', 'fpdf',\n"
        "  'applications.admin', 'applications.api', 'workflows.admin')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    found = run("loanoffice.settings.functions", code, **COMPLETE)
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.django_db
def test_demo_data_are_made_once_and_the_key_works() -> None:
    create_demo_data()
    create_demo_data()
    assert set(User.objects.values_list("username", flat=True)) == set(ROLES)
    assert PartnerKey.objects.count() == 1
    assert partner_key_recognise(PARTNER_KEY) is not None
    manager = User.objects.get(username="manager")
    assert manager.check_password("demo")
    assert manager.has_perm("applications.decide_manager_approval")
    assert not manager.has_perm("applications.decide_above_ceiling")


@pytest.mark.django_db
def test_demo_data_are_refused_outside_of_the_demo(settings: Any) -> None:
    settings.LOANOFFICE_DEMO = False
    with pytest.raises(ImproperlyConfigured):
        create_demo_data()
    assert not User.objects.exists()
