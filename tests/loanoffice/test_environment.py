"""A variable of the environment that makes no sense stops the start, and the error names it."""

import ast
import re
import runpy
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from loanoffice.settings import base
from loanoffice.settings.environment import RANGES, Environment
from tests.aws.production import COMPLETE, run

FOLDER = Path(base.__file__).parent
# The checked methods of ``Environment``, and values that each refuses.
REFUSED = {
    "whole": ("", "many", "1.5", "-1", "1e3", "0x10", "\uff11", "9" * 30),
    "span": ("", "many", "1.5", "1h", "-1"),
    "number": ("", "many", "-0.1", "1e400", "nan", "inf", "0.5.1"),
    "truth": ("yess", "2", "-1", "none"),
    "rate": ("1000000/min", "600", "600/week", "0/min", "-1/min", "many", "6e2/min"),
    "zone": ("Mars/Olympus", "EST5EDT4", "../etc/passwd", ""),
    "log_level": ("LOUD", ""),
    "one_of": ("xml", ""),
    "site": (
        "loans.example.com",
        "ftp://x",
        "https://",
        "https://x/?a",
        "https://x/#b",
        "https://x /",
    ),
    "database": ("many", "mars://user:secret@host/name", "postgresql://user:secret@host:x/name"),
}
# Text, and lists of text, of which some may be empty.
FREE = {"list"}


def read_by(path: Path) -> list[tuple[str, str]]:
    """The variables that a module of settings reads, each after the method that reads it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "env"
        ):
            name = node.args[0]
            found.append((node.func.attr, getattr(name, "value", ast.unparse(name))))
    return found


READ = sorted({each for path in FOLDER.glob("*.py") for each in read_by(path)})
OF_BASE = {name for _, name in read_by(FOLDER / "base.py")}
OUTSIDE = {name: (str(least - 1), str(most + 1)) for name, (least, most) in RANGES.items()}
CASES = [
    (method, name, value)
    for method, name in READ
    if method not in FREE
    for value in (*REFUSED.get(method, ()), *OUTSIDE.get(name, ()))
]


def test_every_variable_is_read_by_a_method_that_checks_it() -> None:
    assert {method for method, _ in READ} - FREE == REFUSED.keys()
    numbers = {name for method, name in READ if method in {"whole", "span", "number"}}
    assert numbers == RANGES.keys()
    assert len(numbers) >= 18


@pytest.mark.parametrize(("method", "name", "value"), CASES)
def test_value_that_makes_no_sense_is_refused_by_name(
    method: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    words = ("json", "line") if method == "one_of" else ()

    with pytest.raises(ImproperlyConfigured, match=rf"^{re.escape(name)} has to be") as refused:
        getattr(Environment(), method)(name, *words, default=0)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", sorted(OF_BASE & RANGES.keys()))
def test_settings_do_not_load_with_a_number_out_of_its_range(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANOFFICE_FRAUD_VENDOR_URL", "https://vendor.example.com")
    for edge in RANGES[name]:
        monkeypatch.setenv(name, str(edge))
        assert runpy.run_path(base.__file__)["DATA_DIR"] == base.DATA_DIR
    monkeypatch.setenv(name, str(RANGES[name][1] + 1))

    with pytest.raises(ImproperlyConfigured, match=f"^{name} has to be"):
        runpy.run_path(base.__file__)


def test_production_does_not_start_with_a_rate_that_nobody_can_count() -> None:
    told = COMPLETE | {"LOANOFFICE_PARTNER_RATE": "1000000/min"}

    found = run("loanoffice.settings.production", "-c", "import django; django.setup()", **told)

    assert found.returncode != 0
    assert "LOANOFFICE_PARTNER_RATE has to be a rate." in found.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "says"), [("true", True), ("On", True), ("1", True), ("no", False), ("", False)]
)
def test_words_for_yes_and_no_are_known(
    text: str, says: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMAIL_USE_TLS", text)

    assert Environment().truth("EMAIL_USE_TLS", default=not says) is says
