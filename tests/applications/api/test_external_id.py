"""One question, one application: an ``external_id`` is taken once of a partner."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from applications.errors import DuplicateExternalId
from applications.models import LoanApplication
from applications.services import intake
from partners.models import IdempotencyKey, Partner
from partners.services import keys
from tests import casework
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db
KEY, OTHER_KEY = {"Idempotency-Key": "one"}, {"Idempotency-Key": "two"}


@pytest.mark.parametrize("headers", [{}, OTHER_KEY])
@pytest.mark.parametrize("change", [{}, {"loan_amount": "1.00", "applicant_name": "Bob"}])
def test_same_external_id_again_is_refused_with_the_earlier_reference(
    api: Caller, headers: dict[str, str], change: dict[str, Any]
) -> None:
    first = api.post(BASE, ALICE, **KEY).json()["reference"]

    problem = assert_problem(
        api.post(BASE, {**ALICE, **change}, **headers), 409, "duplicate-external-id"
    )

    assert problem["detail"] == (
        f"{first} was submitted with the external_id “crm-42” already; another application needs "
        "another one."
    )
    assert LoanApplication.objects.get().reference == first
    assert OutboxMessage.objects.count() == 1
    assert IdempotencyKey.objects.count() == 1


def test_same_key_and_body_still_get_the_first_answer(api: Caller) -> None:
    first = api.post(BASE, ALICE, **KEY)
    assert_problem(api.post(BASE, ALICE, **OTHER_KEY), 409, "duplicate-external-id")

    again = api.post(BASE, ALICE, **KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    other_body = api.post(BASE, {**ALICE, "loan_amount": "1.00"}, **KEY)
    assert_problem(other_body, 422, "idempotency-key-reused")


@pytest.mark.parametrize("closed", ["withdrawn", "declined"])
def test_external_id_stays_taken_when_the_application_is_closed(
    api: Caller, partner: Partner, closed: str
) -> None:
    first = LoanApplication.objects.get(reference=api.submit().json()["reference"])
    LoanApplication.objects.filter(pk=first.pk).update(status=closed)

    problem = assert_problem(api.post(BASE, ALICE), 409, "duplicate-external-id")

    assert first.reference in problem["detail"]


def test_blanks_around_it_make_no_other_external_id(api: Caller) -> None:
    api.submit(external_id="crm-7")
    assert_problem(api.submit(external_id=" crm-7 "), 409, "duplicate-external-id")


def test_applications_without_external_id_are_as_many_as_are_sent(
    api: Caller, officer: User
) -> None:
    for nothing in ("", ..., " "):
        assert api.submit(external_id=nothing).status_code == 201
    casework.submit(officer, external_id="crm-42")
    casework.submit(officer, external_id="crm-42")  # typed by staff, for no partner
    assert LoanApplication.objects.count() == 5


def test_other_partner_has_external_ids_of_its_own(api: Caller) -> None:
    other = Partner.objects.create(name="Other Brokers")
    mine = api.submit().json()["reference"]

    theirs = Caller(keys.partner_key_issue(partner=other)[1]).submit()

    assert theirs.status_code == 201
    assert theirs.json()["reference"] != mine


def test_service_names_the_earlier_reference(partner: Partner) -> None:
    first = casework.submit(None, partner=partner, external_id="crm-7")
    with pytest.raises(DuplicateExternalId) as refused:
        intake.application_create(partner=partner, **casework.ALICE, external_id="crm-7")
    assert refused.value.reference == first.reference
    assert LoanApplication.objects.get() == first


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_of_many_at_the_same_moment_one_is_taken(partner_key: str) -> None:
    together = threading.Barrier(8)

    def send(number: int) -> Any:
        try:
            caller = Caller(partner_key)
            together.wait(60)
            return caller.post(BASE, ALICE, **{"Idempotency-Key": f"key-{number}"})
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))

    reference = LoanApplication.objects.get().reference
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    for answer in answers:
        if answer.status_code == 409:
            problem = answer.json()
            assert problem["type"] == "/problems/duplicate-external-id"
            assert reference in problem["detail"]
