"""Settings of the vendor that could not work are found at start, by name."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks

from lending.services import longest_wait, policy_current
from tests.workflows.callbacks.vendor import OLD_SECRET, SECRET
from workflows.checks import fraud_vendor_can_answer


def found() -> list[str]:
    return [str(each.id) for each in fraud_vendor_can_answer()]


def use(settings: Any, url: str, *secrets: str) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_URL = url
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = list(secrets)


@pytest.mark.parametrize("url", ["https://vendor.example/", "http://127.0.0.1:9000/", ""])
def test_nothing_is_found_where_all_is_well(settings: Any, url: str) -> None:
    use(settings, url, SECRET, OLD_SECRET)

    assert found() == []


@pytest.mark.django_db
def test_check_is_among_those_that_run_at_start(settings: Any) -> None:
    use(settings, "https://vendor.example/")

    assert "workflows.E002" in [each.id for each in run_checks()]


@pytest.mark.parametrize("secret", ["whsec_no", "whsec_" + "A" * 20, "é"])
def test_secret_that_cannot_be_used_is_found_and_not_shown(settings: Any, secret: str) -> None:
    use(settings, "https://vendor.example/", SECRET, secret)

    (error,) = fraud_vendor_can_answer()

    assert error.id == "workflows.E003"
    assert secret not in f"{error.msg}{error.hint}"


def test_personal_data_do_not_leave_unencrypted(settings: Any) -> None:
    use(settings, "http://vendor.example/", SECRET)

    assert found() == ["workflows.E004"]


def test_two_who_are_asked_are_one_too_many(settings: Any) -> None:
    use(settings, "https://vendor.example/", SECRET)
    providers = settings.LOANOFFICE_PROVIDERS
    settings.LOANOFFICE_PROVIDERS = providers | {"fraud": {"url": "https://other/", "token": ""}}

    assert found() == ["workflows.E005"]


@pytest.mark.django_db
def test_time_that_heartbeats_may_buy_counts_into_what_an_execution_must_outlive(
    settings: Any,
) -> None:
    policy = policy_current()
    before = longest_wait(policy)

    settings.LOANOFFICE_FRAUD_VENDOR_LONGEST = timedelta(hours=1)

    longer = timedelta(hours=1) - policy.fraud_check_timeout
    assert longest_wait(policy) == before + longer * policy.fraud_check_attempts
