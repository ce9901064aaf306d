"""The letter is drawn and stored while nobody waits, and each offer keeps the one it names."""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test.utils import override_settings

from applications.errors import ApplicationClosed
from applications.models import LoanApplication, LoanOffer
from applications.services import intake
from tests.casework import assess, pass_fraud_check, run_of, submit
from workflows.steps import offer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def application(officer: User, tmp_path: Any) -> Iterator[LoanApplication]:
    """An application whose next step makes the offer, and a storage without any file."""
    with override_settings(MEDIA_ROOT=tmp_path):
        made = submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
        assess(made)
        pass_fraud_check(made)
        yield made


def stored(application: LoanApplication) -> list[str]:
    folder = f"applications/{application.reference}"
    return [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]]


def assert_one_letter(application: LoanApplication) -> None:
    letter = LoanOffer.objects.get(application=application).letter
    assert letter is not None
    assert stored(application) == [letter.file.name]
    with letter.file.open() as content:
        assert hashlib.sha256(content.read()).hexdigest() == letter.sha256


def test_two_runs_of_the_step_at_once_leave_the_letter_that_the_offer_names(
    application: LoanApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, store = run_of(application), offer.letter_store

    def overtaken(*args: Any) -> Any:
        monkeypatch.setattr(offer, "letter_store", store)
        letter = store(*args)
        offers.append(offer.generate_offer(run))
        return letter

    offers: list[Any] = []
    monkeypatch.setattr(offer, "letter_store", overtaken)
    offers.append(offer.generate_offer(run))
    assert offers[0].offer_id == offers[1].offer_id
    assert_one_letter(application)


def test_letter_of_a_run_that_died_before_it_recorded_it_is_deleted(
    application: LoanApplication,
) -> None:
    run = run_of(application)
    assert offer.offer_begin(run) is None
    planned = offer.offer_plan(run)
    assert isinstance(planned, offer.Planned)
    offer.letter_store(run, planned)
    assert len(stored(application)) == 1
    offer.generate_offer(run)
    assert_one_letter(application)


def test_letter_of_an_application_that_was_closed_meanwhile_is_deleted(
    application: LoanApplication, officer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = offer.letter_store

    def withdrawn(*args: Any) -> Any:
        letter = store(*args)
        intake.application_withdraw(reference=application.reference, user=officer)
        return letter

    monkeypatch.setattr(offer, "letter_store", withdrawn)
    with pytest.raises(ApplicationClosed):
        offer.generate_offer(run_of(application))
    assert stored(application) == []


def test_step_that_runs_again_goes_on_where_the_letter_is_kept_elsewhere(
    application: LoanApplication, tmp_path: Path
) -> None:
    run = run_of(application)
    first = offer.generate_offer(run)
    with override_settings(MEDIA_ROOT=tmp_path / "elsewhere"):
        again = offer.generate_offer(run)
    assert isinstance(first, offer.Offered)
    assert isinstance(again, offer.Offered)
    assert again.offer_id == first.offer_id
