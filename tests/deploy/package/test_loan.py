"""The whole way of a loan through the package: partner, engine, manager, fraud check, payout.

The embedded engine stands for Lambda's: it starts, keeps and resumes the execution, and the
functions of the package checkpoint to it over HTTP from processes of their own.
"""

import json
import re

import pytest
from django_otp.oath import totp

from tests.aws.production import COMPLETE
from tests.deploy.package.conftest import APP_KEY, MANAGER, PASSWORD, Office
from tests.deploy.package.gateway import Caller
from tests.functions.office import PEOPLE
from tests.waiting import eventually

pytestmark = pytest.mark.deploy

API = "/api/v1/applications/"


def status(partner: Caller, reference: str) -> str:
    return str(partner.get(f"{API}{reference}/").json()["status"])


def logged_in(office: Office) -> Caller:
    """A manager, by the pages that people sign in with: the password, then the app's code."""
    manager = Caller(office.web)
    code = f"{totp(bytes.fromhex(APP_KEY)):06}"
    send_form(manager, "/admin/login/", username=MANAGER, password=PASSWORD)
    send_form(manager, "/admin/account/code/", code=code)
    return manager


def send_form(person: Caller, address: str, **typed: str) -> None:
    page = person.get(address)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None, page.text
    entered = person.post_form(address, {**typed, "csrfmiddlewaretoken": token[1]})
    assert entered.status == 302, entered.text


def test_a_loan_goes_its_whole_way(office: Office, partner_key: str) -> None:
    partner = Caller(office.web, Authorization=f"Bearer {partner_key}")
    reference = partner.post_json(API, PEOPLE["alice"]).json()["reference"]
    eventually(
        lambda: status(partner, reference) == "pending_approval",
        seconds=120,
        what=office.functions["loan"].last_words(),
    )
    manager = logged_in(office)
    decided = manager.post_json(
        f"{API}{reference}/decision/",
        {"approved": True},
        X_CSRFToken=manager.cookies["csrftoken"],
        Referer="https://loans.example.com/",
    )
    assert decided.status == 200, decided.text
    eventually(
        lambda: status(partner, reference) == "funded",
        seconds=120,
        what=f"{office.functions['loan'].last_words()}\n{office.functions['fraud'].last_words()}",
    )
    rows = office.ask_database(
        "SELECT arn, status FROM workflows_execution WHERE name = %s", f"{reference}-1"
    )
    arn = rows[0][0]
    assert rows == [(arn, "SUCCEEDED")]
    ended = eventually(lambda: office.finished(arn), what=f"{arn} ends")
    assert (ended["Status"], json.loads(ended["Result"])) == ("SUCCEEDED", {"status": "funded"})
    paid = office.ask_database(
        "SELECT count(*) FROM workflows_simulatedpayout WHERE idempotency_key = %s",
        f"payout-{reference}",
    )
    assert paid == [(1,)]
    bucket = COMPLETE["MEDIA_BUCKET"]
    letters = [key for key in office.account.keys(bucket) if reference in key]
    assert len(letters) == 1
    letter = office.account.client("s3").get_object(Bucket=bucket, Key=letters[0])
    assert letter["Body"].read().startswith(b"%PDF-")
    assert letter["SSEKMSKeyId"] == COMPLETE["MEDIA_KMS_KEY"]
