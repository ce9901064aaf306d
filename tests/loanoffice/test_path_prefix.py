"""Behind a stage's path (``/staging``) every address leads to a place behind it, as on a domain.

``test_times_everywhere`` walks all pages there; ``tests/deploy/package`` asks through Zappa.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import set_script_prefix

from accounts.models import Invitation
from accounts.services.invitations import invitation_send
from applications.models import Document
from loanoffice.settings.environment import Environment
from partners.api import problems
from partners.models import Partner
from partners.services.keys import partner_key_issue
from tests import casework
from tests.aws.production import COMPLETE, run
from tests.loanoffice.stage import STAGE, caller, leads_outside
from tests.partners.api.calls import ALICE, BASE
from workflows import invitation_emails

PASSWORD = "a long password"
HOST = "https://abc123.execute-api.ca-central-1.amazonaws.com"


@pytest.mark.django_db
@pytest.mark.usefixtures("behind_the_stage")
def test_redirects_cookies_and_error_pages_stay_behind_the_stage() -> None:
    User.objects.create_superuser("root", "root@example.com", PASSWORD)
    client = caller()
    for address in ("/", "/admin/", "/admin", "/admin/account/"):
        answer = client.get(address)
        assert answer.status_code in {301, 302}
        assert answer.headers["Location"].startswith(f"{STAGE}/admin/"), address
    signed_in = client.post("/admin/login/", {"username": "root", "password": PASSWORD})
    assert signed_in.headers["Location"].startswith(f"{STAGE}/admin/")
    assert signed_in.cookies["known_device"]["path"] == f"{STAGE}/admin/"
    missing = client.get("/admin/nothing-is-here/")
    assert missing.status_code == 404
    assert f'href="{STAGE}/admin/"' in missing.content.decode()
    assert leads_outside(missing) == set()


@pytest.mark.usefixtures("behind_the_stage")
def test_last_resort_page_leads_to_the_front_page_behind_the_stage(rf: RequestFactory) -> None:
    answer = problems.server_error(rf.get("/admin/", SCRIPT_NAME=STAGE))
    assert f'href="{STAGE}/admin/"' in answer.content.decode()
    assert leads_outside(answer) == set()


@pytest.mark.django_db
@pytest.mark.usefixtures("behind_the_stage")
def test_links_of_the_api_lead_behind_the_stage_and_can_be_followed(
    settings: Any,
) -> None:
    partner = Partner.objects.create(name="Maple Brokers")
    key = partner_key_issue(partner=partner)[1]
    client = caller(Authorization=f"Bearer {key}", Host=urlsplit(HOST).netloc)
    site = f"http://{urlsplit(HOST).netloc}{STAGE}"
    settings.ALLOWED_HOSTS = [urlsplit(HOST).netloc]
    made = [
        client.post(BASE, ALICE | {"external_id": number}, "application/json") for number in "12"
    ]
    assert [each.status_code for each in made] == [201, 201], made[0].content
    where = made[0].headers["Location"]
    assert where.startswith(f"{site}{BASE}")
    first = client.get(BASE, {"page_size": 1}).json()
    assert first["next"].startswith(f"{site}{BASE}?")
    second = client.get(first["next"].removeprefix(site)).json()
    assert second["previous"].startswith(f"{site}{BASE}?")
    funded = casework.offered(None, partner=partner)
    assert Document.objects.filter(application=funded).exists()
    listed = client.get(f"{BASE}{funded.reference}/documents/").json()["results"]
    assert listed
    for each in listed:
        assert each["url"].startswith(f"{site}/api/v1/documents/")
        followed = client.get(each["url"].removeprefix(site))
        assert b"".join(followed).startswith(b"%PDF")
    document = client.get("/api/v1/schema/").json()
    assert [each["url"] for each in document["servers"]] == [site]
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    refused = client.get(f"{BASE}LN-NOTHING/").json()
    assert refused["instance"] == f"{STAGE}{BASE}LN-NOTHING/"


@pytest.mark.django_db
def test_a_key_of_a_post_is_the_same_at_the_stage_and_on_the_domain() -> None:
    partner = Partner.objects.create(name="Maple Brokers")
    key = partner_key_issue(partner=partner)[1]
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "one"}
    made = caller().post(BASE, ALICE, "application/json", headers=headers)
    again = Client().post(BASE, ALICE, "application/json", headers=headers)
    assert made.status_code == again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert json.loads(again.content)["reference"] == json.loads(made.content)["reference"]


@pytest.mark.django_db
@pytest.mark.parametrize("behind", [True, False])
def test_invitation_names_the_stage_once_wherever_its_letter_is_made(
    behind: bool, settings: Any
) -> None:
    """The outbox makes it in the request that queued it, or in the sweep, without a prefix."""
    settings.SITE_URL = f"{HOST}{STAGE}"
    by = casework.staff("root", is_superuser=True)
    person = casework.staff("newcomer")
    invitation_send(user=person, by=by)
    if behind:
        set_script_prefix(f"{STAGE}/")
    try:
        letter = invitation_emails.build_email({"invitation": Invitation.objects.get().pk})
    finally:
        set_script_prefix("/")
    assert letter is not None
    found = re.findall(r"https://\S+", str(letter.body))
    assert [each.startswith(f"{HOST}{STAGE}/admin/account/invitation/") for each in found] == [True]


def test_site_url_is_read_with_or_without_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in (f"{HOST}{STAGE}", f"{HOST}{STAGE}/", f"{HOST}{STAGE}//", f" {HOST}{STAGE}/ "):
        monkeypatch.setenv("SITE_URL", given)
        assert Environment().site("SITE_URL", default="") == f"{HOST}{STAGE}"
    monkeypatch.setenv("SITE_URL", "")  # the settings of production say that it is missing
    assert Environment().site("SITE_URL", default=HOST) == ""


@pytest.mark.parametrize(("site", "path"), [(f"{HOST}{STAGE}/", f"{STAGE}/"), (HOST, "/")])
def test_cookies_in_production_are_those_of_the_stage(site: str, path: str) -> None:
    script = (
        "from django.conf import settings as s; print(s.SESSION_COOKIE_PATH + s.CSRF_COOKIE_PATH)"
    )
    found = run("loanoffice.settings.production", "-c", script, **COMPLETE | {"SITE_URL": site})
    assert (found.stdout.strip(), found.stderr) == (path * 2, "")


def test_only_one_module_makes_addresses_of_the_site() -> None:
    """A link of a letter that is put together elsewhere would forget the stage or double it."""
    found = {
        path.relative_to(django_settings.BASE_DIR).as_posix()
        for package in {app.split(".")[0] for app in django_settings.INSTALLED_APPS}
        for path in (Path(django_settings.BASE_DIR) / package).rglob("*.py")
        if "settings.SITE_URL" in path.read_text(encoding="utf-8")
    }
    assert found == {"core/site_urls.py"}
