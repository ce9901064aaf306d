"""The web function of the package, as Lambda runs it, asked as API Gateway asks."""

import json
import os
import re
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.aws.production import COMPLETE
from tests.deploy.package.build import STAGE_SITE
from tests.deploy.package.conftest import MANAGER, PASSWORD, Office
from tests.deploy.package.gateway import Answer, Caller
from tests.functions.office import PEOPLE
from tests.waiting import eventually

pytestmark = pytest.mark.deploy

STATIC = "https://loanoffice-static.s3.ca-central-1.amazonaws.com/"
API = "/api/v1/applications/"


def test_login_page_is_served_and_its_files_are_where_it_says(office: Office) -> None:
    page = Caller(office.web).get("/admin/login/")
    assert page.status == 200
    assert "Loan Office" in page.text
    named = re.findall(rf'(?:href|src)="{re.escape(STATIC)}([^"]+)"', page.text)
    assert any(re.fullmatch(r"loanoffice/loanoffice\.[0-9a-f]{12}\.css", name) for name in named)
    assert set(named) <= set(office.account.keys(COMPLETE["STATIC_BUCKET"]))
    assert not re.search(r'(?:href|src)="/?static/', page.text)
    assert STATIC.rstrip("/") in page.headers["content-security-policy"]
    assert page.headers["strict-transport-security"].startswith("max-age=31536000")
    assert all("Secure" in line for line in page.cookies)
    assert page.cookies


def test_answer_to_head_has_the_headers_alone(office: Office) -> None:
    caller = Caller(office.web)
    page, head = caller.get("/admin/login/"), caller.head("/admin/login/")
    assert head.status == page.status == 200
    assert head.headers["content-type"] == page.headers["content-type"]
    assert (len(page.text) > 1000, head.text) == (True, "")


def test_nothing_of_python_is_published_among_the_static_files(office: Office) -> None:
    keys = office.account.keys(COMPLETE["STATIC_BUCKET"])
    assert "staticfiles.json" in keys
    assert not [key for key in keys if key.endswith((".py", ".pyc"))]


def test_a_partner_submits_and_reads(office: Office, partner_key: str) -> None:
    partner = Caller(office.web, Authorization=f"Bearer {partner_key}")
    made = partner.post_json(API, PEOPLE["bob"], Idempotency_Key="bob-1")
    assert made.status == 201, made.text
    reference = made.json()["reference"]
    assert made.headers["location"].endswith(f"{API}{reference}/")
    again = partner.post_json(API, PEOPLE["bob"], Idempotency_Key="bob-1")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["reference"] == reference
    read = partner.get(f"{API}{reference}/")
    assert read.status == 200
    assert read.json()["applicant_name"] == "Bob Martinez"


def test_a_stranger_gets_a_problem(office: Office) -> None:
    refused = Caller(office.web, Authorization="Bearer nobody").get(API)
    assert refused.status == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert not refused.is_base64


def test_everything_leads_behind_the_stage_at_its_own_address(
    office: Office, partner_key: str
) -> None:
    """API Gateway strips the stage from the path, and Zappa makes it the script's name."""
    partner = Caller(office.web, site=STAGE_SITE, Authorization=f"Bearer {partner_key}")
    person = Caller(office.web, site=STAGE_SITE)
    admin = f"{urlsplit(STAGE_SITE).path}/admin/"
    for path in ("/", "/admin", "/admin/"):
        assert person.get(path).headers["location"].startswith(admin)
    signed_in = person.post_form(
        "/admin/login/",
        {
            "csrfmiddlewaretoken": form_token(person.get("/admin/login/")),
            "username": MANAGER,
            "password": PASSWORD,
        },
    )
    assert signed_in.status == 302, signed_in.text
    assert signed_in.headers["location"].startswith(admin)
    assert any(f"Path={admin}" in line for line in signed_in.cookies)
    assert f'href="{admin}"' in person.get("/nothing-is-here/").text
    made = partner.post_json(API, PEOPLE["bob"] | {"external_id": "stage"})
    assert made.status == 201, made.text
    assert made.headers["location"] == f"{STAGE_SITE}{API}{made.json()['reference']}/"
    schema = partner.get("/api/v1/schema/").json()
    assert [server["url"] for server in schema["servers"]] == [STAGE_SITE]


def test_the_schedule_sweeps(office: Office) -> None:
    assert office.web.invoke(scheduled()).keys() == {
        "sent",
        "expired",
        "reminded",
        "escalated",
        "reconciled",
    }


def test_the_schedule_sweeps_when_the_database_has_let_go_of_its_connection(
    office: Office,
) -> None:
    office.web.invoke(scheduled())
    name = urlsplit(office.database_url).path.removeprefix("/")
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as administrator:
        ended = administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        ).fetchall()
    assert ended
    assert "sent" in office.web.invoke(scheduled())


def test_migrate_has_nothing_left_to_do(office: Office) -> None:
    office.web.invoke({"manage": "migrate --noinput"})
    office.web.invoke({"manage": "migrate --check"})
    names = {row[0] for row in office.ask_database("SELECT app FROM django_migrations")}
    assert {"applications", "workflows", "auth", "sessions"} <= names


def test_ready_when_database_and_engine_answer(office: Office) -> None:
    found = Caller(office.web).get("/health/ready/")
    assert (found.status, found.json()["status"]) == (200, "ok")


def test_log_lines_are_json_without_paths_and_the_cold_start_is_counted(office: Office) -> None:
    Caller(office.web).get("/admin/nothing-is-here/?q=Quackenbush")
    lines = eventually(
        lambda: [
            line
            for line in office.web.log.read_text().splitlines()
            if "Not Found" in line and line.startswith("{")
        ]
    )
    found = json.loads(lines[-1])
    assert (found["logger"], found["function"]) == ("django.request", "web")
    assert found["request_id"]
    assert found["function_request_id"]
    written = office.web.log.read_text()
    # Zappa's own access log has both.
    assert "nothing-is-here" not in written
    assert "Quackenbush" not in written
    assert written.count('"ColdStart":[1.0]') == 1


def form_token(page: Answer) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def scheduled() -> dict[str, object]:
    """Return an event of EventBridge; Zappa names the rule after the function it calls."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-25T09:00:00Z",
        "region": "ca-central-1",
        "resources": [
            "arn:aws:events:ca-central-1:123456789012:rule/loanoffice-staging-workflows.sweep.sweep"
        ],
        "detail": {},
    }
