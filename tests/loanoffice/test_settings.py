"""Production refuses to start half configured; demo data stay in the demo."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured

from accounts.roles import Role
from applications.choices import Bureau
from devtools.demo_data import create_demo_data
from loanoffice.demo_logins import PARTNER_KEY, ROLES
from loanoffice.settings import function_secrets
from partners.models import PartnerKey
from partners.services.keys import partner_key_recognise
from tests.aws.process import Aws
from tests.aws.production import COMPLETE, run, run_fresh
from tests.functions.not_loaded import LOADED, NOT_LOADED
from workflows.providers.catalogue import PAYOUT, TOKEN_VARIABLES, URL_VARIABLES

README = Path(project.BASE_DIR) / "README.md"
START = "import django; django.setup()"
PROVIDERS = {*URL_VARIABLES.values()}
TOKENS = {*TOKEN_VARIABLES.values()}
# What only the web function needs.
WEB_ONLY = {
    "ALLOWED_HOSTS",
    "DEFAULT_FROM_EMAIL",
    "EMAIL_HOST",
    "SEAL_BUCKET",
    "SECRET_KEY",
    "STATIC_BUCKET",
}
SETTINGS = ["production", "functions"]
# The providers that the web function and the loan approval call.
CALLED = {"production": {PAYOUT}, "functions": {PAYOUT, *Bureau.values}}


def start(module: str, code: str = START, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Django with these settings, then this code; the lean ones are those of the loan approval."""
    if module == "functions":
        environment = {"LOANOFFICE_FUNCTION": "loan-approval", **environment}
    return run(f"loanoffice.settings.{module}", "-c", code, **environment)


def refused(module: str, **environment: str) -> str:
    """The last line of a start that has to fail."""
    found = start(module, **environment)
    assert found.returncode != 0
    return found.stderr.strip().splitlines()[-1]


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in COMPLETE.items() if name not in names}


def test_production_names_every_missing_variable() -> None:
    last = refused("production", SECRET_KEY="x", DATABASE_URL="sqlite:///x")
    missing = re.search(r"are missing: ([^.]+)\.", last)
    optional = {"SECRET_KEY", "DATABASE_URL", "LOANOFFICE_SIMULATED_PROVIDERS"}
    assert missing is not None
    assert set(missing[1].split(", ")) == {*set(COMPLETE) - optional, URL_VARIABLES[PAYOUT]}


UNSAFE = {
    "SECRET_KEY": ("short", "SECRET_KEY is shorter than 50 characters."),
    "SECRET_KEY_FALLBACKS": ("secret" * 10, "SECRET_KEY_FALLBACKS can be guessed"),
    "ALLOWED_HOSTS": ("loans.example.com,*", "ALLOWED_HOSTS allows every host"),
    "DATABASE_URL": ("sqlite:////tmp/x", "DATABASE_URL has to name a PostgreSQL database."),
    "SITE_URL": ("http://127.0.0.1:8000", "SITE_URL is not https"),
    "EMAIL_USE_TLS": ("false", "EMAIL_USE_TLS is false"),
    "LOANOFFICE_FRAUD_VENDOR_URL": (
        "http://vendor.example.com",
        "LOANOFFICE_FRAUD_VENDOR_URL is not https",
    ),
    "LOANOFFICE_SECOND_FACTOR_REQUIRED": (
        "false",
        "LOANOFFICE_SECOND_FACTOR_REQUIRED is false",
    ),
    "LOANOFFICE_DOCUMENT_BYTES": ("4500001", "LOANOFFICE_DOCUMENT_BYTES is more than 4500000"),
    **{url: ("http://provider.example.com", f"{url} is not https") for url in PROVIDERS},
}
# Those of the web function.
WEB = {
    "ALLOWED_HOSTS",
    "EMAIL_USE_TLS",
    "LOANOFFICE_FRAUD_VENDOR_URL",
    "LOANOFFICE_DOCUMENT_BYTES",
    "LOANOFFICE_SECOND_FACTOR_REQUIRED",
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
}


@pytest.mark.parametrize("module", SETTINGS)
def test_production_names_every_unsafe_variable_at_once(module: str) -> None:
    unsafe = {name: value for name, (value, _) in UNSAFE.items()}
    last = refused(module, **COMPLETE | unsafe)
    others = PROVIDERS - {URL_VARIABLES[each] for each in CALLED[module]}
    expected = {name for name in UNSAFE if module == "production" or name not in WEB} - others
    assert {name for name, (_, sentence) in UNSAFE.items() if sentence in last} == expected
    tokens = {TOKEN_VARIABLES[each] for each in CALLED[module]}
    assert {name for name in TOKENS if f"{name} is empty" in last} == tokens


@pytest.mark.parametrize("name", sorted(UNSAFE))
def test_production_refuses_each_unsafe_variable(name: str) -> None:
    value, sentence = UNSAFE[name]
    calls = [
        each
        for each, uses in function_secrets.FUNCTIONS.items()
        if name not in PROVIDERS or name in {URL_VARIABLES[provider] for provider in uses.providers}
    ]
    module = "production" if function_secrets.WEB in calls else "functions"
    assert sentence in refused(module, **COMPLETE | {name: value, "LOANOFFICE_FUNCTION": calls[0]})


def test_functions_name_every_missing_variable_and_ask_for_none_of_the_web() -> None:
    last = refused("functions", DATABASE_URL="sqlite:///x")
    for name in set(COMPLETE) - WEB_ONLY - {"DATABASE_URL", "LOANOFFICE_SIMULATED_PROVIDERS"}:
        assert name in last
    for name in WEB_ONLY:
        assert name not in last


@pytest.mark.parametrize("module", SETTINGS)
def test_an_empty_variable_is_a_missing_one(module: str) -> None:
    assert "are missing: MEDIA_BUCKET." in refused(module, **COMPLETE | {"MEDIA_BUCKET": ""})


def test_functions_start_without_what_only_a_door_needs() -> None:
    found = start("functions", **without(*WEB_ONLY))
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("module", SETTINGS)
def test_nothing_outside_is_simulated_unless_that_is_asked_for(module: str) -> None:
    last = refused(module, **without("LOANOFFICE_SIMULATED_PROVIDERS"))
    called = {URL_VARIABLES[each] for each in CALLED[module]}
    assert {name for name in PROVIDERS if name in last} == called
    urls = dict.fromkeys(PROVIDERS, "https://outside.example.com") | dict.fromkeys(TOKENS, "token")
    found = start(module, **without("LOANOFFICE_SIMULATED_PROVIDERS"), **urls)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("module", "function"), [("production", "web"), ("functions", "fraud-check")]
)
def test_fraud_vendor_stands_in_for_the_fraud_service_and_needs_its_secret(
    module: str, function: str
) -> None:
    urls = dict.fromkeys(PROVIDERS - {"FRAUD_SERVICE_URL"}, "https://outside.example.com")
    urls["LOANOFFICE_FRAUD_VENDOR_URL"] = "https://vendor.example.com/checks"
    outside = without("LOANOFFICE_SIMULATED_PROVIDERS") | urls | dict.fromkeys(TOKENS, "token")
    outside["LOANOFFICE_FUNCTION"] = function

    assert "are missing: LOANOFFICE_FRAUD_VENDOR_SECRET." in refused(module, **outside)
    found = start(module, **outside, LOANOFFICE_FRAUD_VENDOR_SECRET=f"whsec_{'A' * 44}")
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("module", SETTINGS)
def test_only_postgresql_will_do(module: str) -> None:
    assert "PostgreSQL" in refused(module, **COMPLETE | {"DATABASE_URL": "sqlite:////tmp/x"})


@pytest.mark.parametrize(
    ("tail", "taken"),
    [
        ("database.example.com/loans?sslmode=disable", False),
        ("database.example.com/loans?sslmode=prefer", False),
        ("localhost.example.com/loans?sslmode=allow", False),
        ("database.example.com/loans?sslmode=verify-full&sslrootcert=system", True),
        ("127.0.0.1/loans?sslmode=disable", True),
    ],
)
def test_a_database_elsewhere_is_spoken_to_over_tls(tail: str, taken: bool) -> None:
    url = f"postgresql://user:a-long-password@{tail}"
    found = start("functions", **COMPLETE | {"DATABASE_URL": url})
    assert (found.returncode == 0) is taken, found.stderr
    assert "a-long-password" not in found.stderr


def test_documents_that_lambda_takes_are_promised() -> None:
    found = start("production", **COMPLETE | {"LOANOFFICE_DOCUMENT_BYTES": "1000000"})
    assert found.returncode == 0, found.stderr


def test_the_database_is_asked_whether_it_is_there_and_not_for_long() -> None:
    code = (
        "import json\nfrom django.conf import settings as s\n"
        "d = s.DATABASES['default']\n"
        "print(json.dumps([d['OPTIONS'], d['CONN_HEALTH_CHECKS']]))"
    )
    found = start("functions", code, **COMPLETE)
    options = {"sslmode": "require", "connect_timeout": 5}
    assert json.loads(found.stdout) == [options, True], found.stderr
    asked = COMPLETE["DATABASE_URL"] + "?sslmode=verify-full&connect_timeout=9"
    found = start("functions", code, **COMPLETE | {"DATABASE_URL": asked})
    options = {"sslmode": "verify-full", "connect_timeout": 9}
    assert json.loads(found.stdout) == [options, True], found.stderr


@pytest.mark.parametrize("module", SETTINGS)
def test_what_the_settings_of_aws_change_is_in_force(module: str) -> None:
    code = (
        "import json\nfrom django.conf import settings\n"
        "from loanoffice.settings import aws, base\n"
        "changed = [n for n in vars(aws) if n.isupper() and hasattr(base, n)\n"
        "  and getattr(aws, n) != getattr(base, n)]\n"
        "print(json.dumps({n: getattr(settings, n) == getattr(aws, n) for n in changed}))"
    )
    found = start(module, code, **COMPLETE)
    assert found.returncode == 0, found.stderr
    in_force = json.loads(found.stdout)
    assert {"LOANOFFICE_DATABASE_OWNER", "LOANOFFICE_STORAGE_SIGNS_LINKS"} <= in_force.keys()
    assert [name for name, same in in_force.items() if not same] == []


def test_check_for_deployment_finds_nothing() -> None:
    words = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    found = run("loanoffice.settings.production", *words, **COMPLETE)
    assert found.returncode == 0, found.stderr
    assert "no issues (0 silenced)" in found.stdout


def test_check_for_deployment_finds_nothing_when_the_secrets_come_from_aws(aws: Aws) -> None:
    for name in ("SECRET_KEY", "DATABASE_URL"):
        aws.client("ssm").put_parameter(
            Name=f"/loanoffice/production/{name}", Value=COMPLETE[name], Type="SecureString"
        )
    environment = without("SECRET_KEY", "DATABASE_URL") | aws.environment
    words = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    found = run(
        "loanoffice.settings.production",
        *words,
        **environment,
        LOANOFFICE_SECRETS="/loanoffice/production",
    )
    assert found.returncode == 0, found.stderr
    assert "no issues (0 silenced)" in found.stdout


def test_production_counts_two_proxies_and_ends_sessions_unless_told_otherwise() -> None:
    code = (
        "import json\nfrom django.conf import settings as s\n"
        "print(json.dumps([s.LOANOFFICE_TRUSTED_PROXIES, s.SESSION_COOKIE_AGE,\n"
        "  s.LOANOFFICE_SESSION_IDLE.total_seconds()]))"
    )
    assert json.loads(start("production", code, **COMPLETE).stdout) == [2, 43200, 1800.0]
    told = {
        "LOANOFFICE_TRUSTED_PROXIES": "1",
        "LOANOFFICE_SESSION_HOURS": "8",
        "LOANOFFICE_SESSION_IDLE_MINUTES": "10",
    }
    assert json.loads(start("production", code, **COMPLETE | told).stdout) == [1, 28800, 600.0]


def test_production_is_not_a_demo_and_has_no_embedded_engine() -> None:
    code = (
        "import json, os\n"
        "from django.conf import settings as s\n"
        "print(json.dumps([s.LOANOFFICE_DEMO, s.DEBUG, s.LOANOFFICE_SIMULATED_LATENCY,\n"
        "  os.environ.get('AWS_ENDPOINT_URL_LAMBDA'), s.SESSION_COOKIE_SECURE]))"
    )
    found = start("production", code, **COMPLETE)
    assert json.loads(found.stdout) == [False, False, 0.0, None, True], found.stderr


def test_export_fits_into_what_lambda_answers_with() -> None:
    code = (
        "from django.conf import settings as s\n"
        "from loanoffice.settings import base\n"
        "print(base.LOANOFFICE_EXPORT_MOST, s.LOANOFFICE_EXPORT_MOST)"
    )
    found = start("production", code, **COMPLETE)
    everywhere_else, here = found.stdout.split()
    assert everywhere_else == "None", found.stderr
    bytes_a_line = 300  # half as much again as seeded lines take
    assert 0 < int(here) * bytes_a_line < 6 * 1024 * 1024


def test_a_page_of_production_comes_over_tls_with_headers_that_keep_it_so() -> None:
    code = (
        f"{START}\nimport json\nfrom django.test import Client\n"
        "plain = Client().get('/health/live/', HTTP_HOST='loans.example.com')\n"
        "behind = Client().get('/health/live/', HTTP_HOST='loans.example.com',\n"
        "  HTTP_X_FORWARDED_PROTO='https')\n"
        "print(json.dumps([plain.status_code, plain.headers['Location'], behind.status_code,\n"
        "  behind.headers['Strict-Transport-Security'],\n"
        "  behind.headers['Content-Security-Policy']]))"
    )
    found = start("production", code, **COMPLETE)
    plain, where, behind, hsts, csp = json.loads(found.stdout or "null")
    assert (plain, where) == (301, "https://loans.example.com/health/live/")
    assert (behind, hsts) == (200, "max-age=31536000; includeSubDomains; preload")
    static = "https://loanoffice-static.s3.ca-central-1.amazonaws.com"
    allowed = dict(part.strip().split(" ", 1) for part in csp.split(";"))
    for kind in ("style-src", "script-src", "img-src"):
        assert static in allowed[kind].split()
    assert allowed["default-src"] == "'self'"


def test_log_lines_are_json() -> None:
    code = (
        f"{START}\nimport logging\n"
        "logging.getLogger('workflows').warning('Sent', extra={'message_id': 7})"
    )
    found = start("functions", code, **COMPLETE)
    line = json.loads(found.stderr)
    assert (line["level"], line["message"], line["message_id"]) == ("WARNING", "Sent", 7)


def test_functions_load_their_receivers_and_no_admin_api_or_sweep() -> None:
    code = (
        "import sys, gc, json\n"
        "import functions.loan_approval, functions.fraud_check\n"
        "print(json.dumps([list(sys.modules), gc.isenabled(), gc.get_freeze_count()]))"
    )
    named = {"LOANOFFICE_FUNCTION": "loan-approval"}
    found = run_fresh("loanoffice.settings.functions", "-c", code, **COMPLETE, **named)
    assert found.returncode == 0, found.stderr
    loaded, is_collecting, spared = json.loads(found.stdout)
    assert set(loaded) >= LOADED
    assert sorted(NOT_LOADED & set(loaded)) == []
    assert is_collecting
    assert spared > len(loaded)  # what the start made is not looked through again


@pytest.mark.parametrize("module", SETTINGS)
def test_superuser_decides_nothing_in_the_functions_either(module: str) -> None:
    code = (
        "import django; django.setup()\n"
        "from django.contrib.auth import get_backends\n"
        "from django.contrib.auth.models import User\n"
        "root = User(is_superuser=True, is_active=True)\n"
        "root._group_perm_cache = set()\n"
        "print(root.has_perm('reviews.decide_manager_approval'), root.has_perm('auth.change_user'))"
    )
    function = "web" if module == "production" else "loan-approval"
    named = {"LOANOFFICE_FUNCTION": function}
    found = run_fresh(f"loanoffice.settings.{module}", "-c", code, **COMPLETE, **named)
    assert found.stdout.strip() == "False True", found.stderr


@pytest.mark.django_db
def test_demo_data_are_made_once_and_the_key_works() -> None:
    create_demo_data()
    create_demo_data()
    assert set(User.objects.values_list("username", flat=True)) == set(ROLES)
    assert PartnerKey.objects.count() == 1
    assert partner_key_recognise(PARTNER_KEY) is not None
    manager = User.objects.get(username="manager")
    assert manager.check_password("demo")
    assert manager.has_perm("reviews.decide_manager_approval")
    assert not manager.has_perm(Role.SENIOR_MANAGER.authority_permission)


def test_readme_names_each_login_of_the_demo_with_its_role() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \| [^|]+ \|$", README.read_text(), re.MULTILINE)
    named = {login: role for logins, role in rows for login in re.findall(r"`(\w+)`", logins)}

    assert named == {login: str(role or "superuser") for login, role in ROLES.items()}


def test_demo_keeps_the_logins_that_readers_know() -> None:
    first = "officer manager manager2 senior analyst operations policy auditor admin"
    assert set(first.split()) < set(ROLES)


@pytest.mark.django_db
def test_demo_data_are_refused_outside_of_the_demo(settings: Any) -> None:
    settings.LOANOFFICE_DEMO = False
    with pytest.raises(ImproperlyConfigured):
        create_demo_data()
    assert not User.objects.exists()
