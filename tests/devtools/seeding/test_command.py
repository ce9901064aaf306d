"""``manage.py seed_applications`` as a person runs it."""

import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from applications.models import LoanApplication
from workflows.models import PeriodicRun

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("seed_applications", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_says_how_many_of_which_kind_and_shows_its_progress() -> None:
    out, err = run("300", "--standing", "20", "--days", "30")

    assert "300 applications (277 closed, 3 open, 20 standing)" in out
    assert "300/300" in err
    assert LoanApplication.objects.count() == 300
    assert LoanApplication.objects.filter(status="submitted").count() == 3


def test_database_takes_stock_of_what_was_added() -> None:
    with CaptureQueriesContext(connection) as captured:
        run("20")

    assert any("ANALYZE" in query["sql"] for query in captured.captured_queries)


def test_number_may_be_written_with_separators_and_none_be_open() -> None:
    out, _ = run("1_200", "--open", "0")

    assert "1,200 applications (1,200 closed, 0 open, 0 standing)" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0"], "0 is not from 1 to"),
        (["-5"], "-5"),
        (["9999999999"], "9,999,999,999 is not from 1 to 5,000,000"),
        (["many"], "“many” is not a whole number"),
        ([], "required: N"),
        (["10", "--days", "0"], "0 is not from 1 to 36,500"),
        (["10", "--open", "8", "--standing", "8"], "together are more than N"),
    ],
)
def test_figure_that_makes_no_sense_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)

    assert not LoanApplication.objects.exists()


def test_it_is_refused_outside_of_a_demo(settings: object) -> None:
    settings.LOANOFFICE_DEMO = False

    with pytest.raises(CommandError, match="demo and test settings only"):
        run("10")

    assert not LoanApplication.objects.exists()


def test_missing_progress_bar_is_said_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)

    with pytest.raises(CommandError, match=r"needs tqdm.*requirements/local.txt"):
        run("10")

    assert not LoanApplication.objects.exists()


def test_standing_cases_on_a_swept_database_are_refused_with_the_reason() -> None:
    PeriodicRun.objects.create(name="reconcile")

    with pytest.raises(CommandError, match="A sweep has been at work"):
        run("10", "--standing", "5")
