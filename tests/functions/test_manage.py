"""The function that runs management commands for the deploy."""

import pytest

from applications.models import LoanApplication
from functions import manage


def test_command_that_succeeds_says_what_it_did(db: None) -> None:
    answer = manage.handler({"command": ["migrate", "--noinput"]}, None)

    assert answer["exit"] == 0
    assert "No migrations to apply." in answer["output"]


def test_audit_is_verified_there_and_a_finding_is_an_exit_code(db: None) -> None:
    assert manage.handler({"command": ["audit_seal"]}, None)["exit"] == 0
    answer = manage.handler({"command": ["audit_verify"]}, None)

    assert answer["exit"] == 0
    assert "Everything is as it was sealed." in answer["output"]


def test_login_is_not_made_without_a_url_that_names_it(db: None) -> None:
    answer = manage.handler({"command": ["database_login"]}, None)

    assert answer["exit"] == 1
    assert "LOANOFFICE_APP_DATABASE_URL is not set" in answer["output"]


def test_drain_without_an_engine_is_not_clear(db: None) -> None:
    answer = manage.handler({"command": ["drain"]}, None)

    assert answer["exit"] == 2
    assert "Not known, so not clear." in answer["output"]


def test_options_are_handed_on(db: None) -> None:
    answer = manage.handler({"command": ["drain", "--json", "--safe-from", "3"]}, None)

    assert answer["exit"] == 2
    assert answer["output"].startswith('{"error":')


def test_story_of_an_application_is_told_there(submitted: LoanApplication) -> None:
    answer = manage.handler({"command": ["story", submitted.reference]}, None)

    assert answer["exit"] == 0
    assert answer["output"].startswith(f"Story of {submitted.reference}\n")
    unknown = manage.handler({"command": ["story", "x"]}, None)
    assert unknown == {
        "exit": 1,
        "output": "CommandError: There is no application LOAN-X.\n",
    }


def test_option_that_there_is_not_is_an_answer_and_not_a_crash() -> None:
    answer = manage.handler({"command": ["migrate", "--nonsense"]}, None)

    assert answer["exit"] == 1
    assert "--nonsense" in answer["output"]


@pytest.mark.parametrize("command", ["shell", "flush", "dbshell", "demo"])
def test_other_commands_are_not_run(command: str) -> None:
    with pytest.raises(ValueError, match=f"{command} is not run here, only audit_seal,"):
        manage.handler({"command": [command]}, None)


def test_long_output_keeps_its_end(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = manage.handler({"command": ["check"]}, None)["output"]
    monkeypatch.setattr(manage, "MOST", 20)

    assert manage.handler({"command": ["check"]}, None)["output"] == whole[-20:]
