"""Each function starts with its own secrets, needs no others, and uses no others."""

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project

from deploy.stage import SECRET
from loanoffice.settings.function_secrets import (
    FRAUD_CHECK,
    FUNCTIONS,
    LOAN_APPROVAL,
    MANAGE,
    VENDOR_VARIABLE,
    WEB,
    secrets_of_others,
)
from tests.aws.process import Aws
from tests.aws.production import COMPLETE, run, run_fresh
from tests.sizes import some
from workflows.providers.catalogue import FRAUD, TOKEN_VARIABLES, URL_VARIABLES

MODULES = dict.fromkeys(FUNCTIONS, "production") | dict.fromkeys(
    (LOAN_APPROVAL, FRAUD_CHECK), "functions"
)
VENDOR_URL = {"LOANOFFICE_FRAUD_VENDOR_URL": "https://vendor.example.com/checks"}
SERVICES = dict.fromkeys(URL_VARIABLES.values(), "https://provider.example.com")
# A value for each secret; every function is tried with its own only.
VALUES = {name: "token" for uses in FUNCTIONS.values() for name in uses.secrets()} | {
    "SECRET_KEY": COMPLETE["SECRET_KEY"],
    "SECRET_KEY_FALLBACKS": COMPLETE["SECRET_KEY"],
    "DATABASE_URL": COMPLETE["DATABASE_URL"],
    "LOANOFFICE_APP_DATABASE_URL": COMPLETE["DATABASE_URL"],
    VENDOR_VARIABLE: f"whsec_{'A' * 44}",
}
# Variables that everybody may see, the same for all functions of a stage.
STAGE = {
    name: value
    for name, value in COMPLETE.items()
    if name not in {*VALUES, "LOANOFFICE_SIMULATED_PROVIDERS"}
}
START = "import django; django.setup()"
# What each function serves.
LOADED = {
    WEB: ("loanoffice.urls", "workflows.sweep"),
    LOAN_APPROVAL: ("functions.loan_approval",),
    FRAUD_CHECK: ("functions.fraud_check",),
}
# The functions of ``registry`` and the provider that each gives; a bureau stands for all bureaus.
BUREAUS = tuple(name for name in TOKEN_VARIABLES if name not in {"fraud", "payout"})
CALLS = {
    "bureau": BUREAUS,
    "fraud_service": ("fraud",),
    "fraud_vendor": ("fraud",),
    "payout_rail": ("payout",),
}


def environment_of(
    function: str, *, vendor: bool = False, simulated: bool = False
) -> dict[str, str]:
    """The variables of a function with its own secrets and no other's.

    The fraud service, or the vendor, is asked for ``vendor``; nobody outside if ``simulated``.
    """
    own = {name: VALUES[name] for name in FUNCTIONS[function].secrets()}
    if simulated:
        own = {name: VALUES[name] for name in FUNCTIONS[function].needed}
        outside = {"LOANOFFICE_SIMULATED_PROVIDERS": "true"}
    elif vendor:
        own.pop("FRAUD_SERVICE_TOKEN", None)
        outside = SERVICES | VENDOR_URL
        del outside["FRAUD_SERVICE_URL"]
    else:
        own.pop(VENDOR_VARIABLE, None)
        outside = SERVICES
    return {**STAGE, **outside, **own, "LOANOFFICE_FUNCTION": function}


def start(function: str, code: str = START, **environment: str) -> Any:
    return run(f"loanoffice.settings.{MODULES[function]}", "-c", code, **environment)


def needed(*, vendor: bool) -> list[tuple[str, str]]:
    """Every function with every secret that it does not start without."""
    found = []
    for function, uses in FUNCTIONS.items():
        names = {*uses.needed} | {
            TOKEN_VARIABLES[each] for each in uses.providers if not (vendor and each == FRAUD)
        }
        found += [(function, name) for name in sorted(names)]
        if vendor and uses.vendor:
            found.append((function, VENDOR_VARIABLE))
    return found


@pytest.mark.long
@pytest.mark.parametrize(
    ("function", "outside"),
    some(product(FUNCTIONS, ["services", "vendor", "simulated"]), of=6),
)
def test_function_starts_with_its_own_secrets_only(function: str, outside: str) -> None:
    environment = environment_of(
        function, vendor=outside == "vendor", simulated=outside == "simulated"
    )
    found = start(function, **environment)
    assert found.returncode == 0, found.stderr


@pytest.mark.long
@pytest.mark.parametrize("vendor", [False, True], ids=["service", "vendor"])
def test_function_is_refused_without_one_of_its_secrets_which_is_named(vendor: bool) -> None:
    pairs = needed(vendor=vendor)
    assert {function for function, _ in pairs} == {*FUNCTIONS}
    for function, name in some(pairs, of=5):
        environment = environment_of(function, vendor=vendor)
        del environment[name]
        found = start(function, **environment)
        assert found.returncode != 0, (function, name)
        last = found.stderr.strip().splitlines()[-1]
        assert re.search(rf"(missing: {name}\.|does not start\. {name} is empty)", last), last


@pytest.mark.parametrize("function", ["", "web", "manage", "elsewhere"])
def test_lean_settings_are_refused_to_a_function_that_is_not_lean(function: str) -> None:
    environment = environment_of(LOAN_APPROVAL) | {"LOANOFFICE_FUNCTION": function}
    found = run("loanoffice.settings.functions", "-c", START, **environment)
    assert found.returncode != 0
    assert "LOANOFFICE_FUNCTION" in found.stderr.strip().splitlines()[-1]


@pytest.mark.long
@pytest.mark.parametrize("function", some(FUNCTIONS, of=4))
def test_function_takes_nothing_of_others_from_where_its_secrets_are(
    aws: Aws, function: str
) -> None:
    for name, value in VALUES.items():
        aws.client("ssm").put_parameter(
            Name=f"/loanoffice/here/{name}", Value=value, Type="SecureString"
        )
    code = f"{START}\nimport json, os; print(json.dumps(sorted(os.environ)))"
    environment = STAGE | SERVICES | aws.environment
    environment |= {"LOANOFFICE_SECRETS": "/loanoffice/here", "LOANOFFICE_FUNCTION": function}
    found = start(function, code, **environment)

    assert found.returncode == 0, found.stderr
    assert VALUES.keys() & {*json.loads(found.stdout)} == FUNCTIONS[function].secrets()
    assert f"there is a {', '.join(sorted(secrets_of_others(function)))} in it" in found.stderr


@pytest.mark.long
@pytest.mark.parametrize(("function", "simulated"), some(product(FUNCTIONS, [False, True]), of=5))
def test_function_calls_only_the_providers_that_it_declares(function: str, simulated: bool) -> None:
    code = (
        f"{START}\nimport json\n"
        "from django.core.exceptions import ImproperlyConfigured\n"
        "from applications.choices import Bureau\n"
        "from workflows.callbacks.tokens import vendor_secrets\n"
        "from workflows.providers import registry\n"
        "calls = {each.value: lambda each=each: registry.bureau(each) for each in Bureau}\n"
        "calls |= {'fraud': registry.fraud_service, 'payout': registry.payout_rail,\n"
        "  'fraud vendor': registry.fraud_vendor, 'vendor secret': vendor_secrets}\n"
        "found = {}\n"
        "for name, call in calls.items():\n"
        "    try:\n        call()\n        found[name] = ''\n"
        "    except ImproperlyConfigured as error:\n        found[name] = str(error)\n"
        "print(json.dumps(found))"
    )
    found = start(function, code, **environment_of(function, simulated=simulated))
    assert found.returncode == 0, found.stderr
    said: dict[str, str] = json.loads(found.stdout)
    uses = FUNCTIONS[function]

    vendor = said.pop("fraud vendor")
    assert bool(vendor) is (FRAUD not in uses.providers)
    assert bool(said.pop("vendor secret")) is not uses.vendor
    assert {name for name, sentence in said.items() if not sentence} == {*uses.providers}
    for name in said.keys() - {*uses.providers}:
        assert said[name].startswith(
            f"{TOKEN_VARIABLES[name]} is not among the secrets of {function}"
        )


@pytest.mark.long
@pytest.mark.parametrize("function", some(LOADED, of=2))
def test_code_that_a_function_loads_calls_the_providers_that_it_declares(function: str) -> None:
    code = (
        f"{START}\nimport importlib, json, sys\n"
        f"for name in {LOADED[function]}: importlib.import_module(name)\n"
        "print(json.dumps([m.__file__ for m in [*sys.modules.values()]\n"
        "  if getattr(m, '__file__', None)]))"
    )
    found = run_fresh(
        f"loanoffice.settings.{MODULES[function]}",
        "-c",
        code,
        **environment_of(function, simulated=True),
    )
    assert found.returncode == 0, found.stderr
    files = [Path(name) for name in json.loads(found.stdout)]
    ours = [file for file in files if is_ours(file)]
    called = {call for file in ours for call in calls_in(file.read_text())}

    assert called <= CALLS.keys()
    assert {provider for call in called for provider in CALLS[call]} == {
        *FUNCTIONS[function].providers
    }


def test_no_other_code_chooses_a_provider() -> None:
    root = Path(project.BASE_DIR)
    callers = {
        str(file.relative_to(root))
        for package in ("workflows", "functions", "reviews", "applications", "loanoffice")
        for file in (root / package).rglob("*.py")
        if re.search(r"import registry|providers\.(registry|http|vendor) import", file.read_text())
    }
    assert callers == {
        "functions/fraud_check.py",
        "workflows/payout_questions.py",
        "workflows/providers/registry.py",
        "workflows/providers/vendor.py",
        "workflows/steps/credit.py",
        "workflows/steps/payout.py",
    }


def is_ours(file: Path) -> bool:
    root = Path(project.BASE_DIR)
    return file.is_relative_to(root) and not file.relative_to(root).parts[0].startswith(".")


def calls_in(source: str) -> list[str]:
    return re.findall(r"\bregistry\.(\w+)\(", source)


def test_manage_runs_without_a_key_of_the_web_function() -> None:
    code = "import functions.manage as m; print(m.handler({'command': ['check']}, None))"
    found = start(MANAGE, code, **environment_of(MANAGE, vendor=True))
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout.replace("'", '"'))["exit"] == 0, found.stdout


def test_secrets_of_the_table_are_refused_among_the_variables_of_a_stage() -> None:
    names = {name for uses in FUNCTIONS.values() for name in uses.secrets()}
    visible = {"EMAIL_HOST_USER"}  # a name, no secret; it stands beside its password
    assert {name for name in names if not SECRET.search(name)} == visible


def test_runbook_lists_the_secrets_of_each_function() -> None:
    runbook = (Path(project.BASE_DIR) / "docs" / "runbook.md").read_text()
    rows = re.findall(
        r"^ +\| ([\w-]+) \| `/loanoffice/STAGE([\w-]*)` \| (.+) \| (.*)\|$", runbook, re.MULTILINE
    )
    listed = {
        name: (tail, named_in(needed), named_in(optional)) for name, tail, needed, optional in rows
    }
    assert listed == {
        function: (
            "" if function == WEB else f"-{function}",
            {*uses.needed},
            uses.secrets() - {*uses.needed},
        )
        for function, uses in FUNCTIONS.items()
    }


def named_in(cell: str) -> set[str]:
    return {*re.findall(r"`(\w+)`", cell)}
