"""A stage on an emulated AWS that others wrote, through its API Gateway, from deploy to undeploy.

The package is the real one and runs behind the gateway; durable operations are answered by the
embedded engine with the package's handlers. See the section on it in ``docs/architecture.md``.
"""

import json
import re
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from devtools.aws.emulator import VENV
from devtools.aws.front import CERTIFICATE
from devtools.aws.names import ALIAS, COMPANIONS, LOAN_APPROVAL, WEB
from devtools.aws.office import EmulatedOffice
from loanoffice.demo_logins import PARTNER_KEY, PASSWORD
from tests.browser.conftest import CHROMIUM
from tests.deploy.office import needs_the_deploy_environment
from tests.functions.office import PEOPLE
from tests.waiting import eventually

API = "/api/v1/applications/"
LONGEST = 180  # seconds for what people wait for: functions start cold beside each other
# The status of those about whom nobody decides, or for whom the others wait.
ENDS = {
    "alice": "manager",
    "bob": "declined",
    "charlie": "funded",
    "dana": "risk_analyst",
    "erin": "manager",
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedOffice]:
    needs_the_deploy_environment()
    if not (VENV / "ready").exists():
        pytest.exit("There is no .venv-emulator: these tests are run by `make test-deploy`.", 1)
    with EmulatedOffice(tmp_path_factory.mktemp("emulated") / "aws") as office:
        office.deploy()
        yield office


class Partner:
    """The demo's partner, who calls the API through the gateway."""

    def __init__(self, office: EmulatedOffice) -> None:
        self.site = office.ports.site
        self.port = office.ports.front
        self.context = ssl.create_default_context(cafile=str(office.folder / CERTIFICATE))

    def ask(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "*/*",
                "Authorization": f"Bearer {PARTNER_KEY}",
                "Content-Type": "application/json",
                "Host": self.site.removeprefix("https://"),
            },
        )
        with urllib.request.urlopen(request, timeout=120, context=self.context) as answer:
            return json.load(answer)

    def submit(self, person: str, **more: str) -> str:
        return str(self.ask(API, PEOPLE[person] | more)["reference"])

    def state(self, reference: str) -> str:
        """Whom an application waits for, or else its status."""
        found = self.ask(f"{API}{reference}/")
        return str((found["waiting_on"] or {}).get("who") or found["status"])


@pytest.fixture(scope="module")
def partner(office: EmulatedOffice) -> Partner:
    return Partner(office)


@pytest.fixture(scope="module")
def references(partner: Partner) -> dict[str, str]:
    """An application of each demo profile."""
    return {person: partner.submit(person) for person in ENDS}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def sign_in(browser: Browser, office: EmulatedOffice) -> Iterator[Callable[[str], Page]]:
    """``sign_in("manager")``: a page on which this person has signed in, through the form."""
    complaints: list[str] = []
    contexts = []

    def somebody(username: str) -> Page:
        context = browser.new_context(base_url=office.ports.site, ignore_https_errors=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LONGEST * 1000)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.goto("/admin/")
        page.fill("#id_username", username)
        page.fill("#id_password", PASSWORD)
        page.click("[type=submit]")
        tools = page.locator("#user-tools")
        expect(tools).to_contain_text(username, timeout=LONGEST * 1000)
        return page

    yield somebody
    for context in contexts:
        context.close()
    assert complaints == []


def rows(office: EmulatedOffice, question: str, *values: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(office.database.owner, autocommit=True) as connection:
        return connection.execute(question, values).fetchall()


def comes_to(partner: Partner, reference: str, state: str) -> None:
    eventually(
        lambda: partner.state(reference) == state, seconds=LONGEST, what=f"{reference}: {state}"
    )


@pytest.mark.parametrize("person", list(ENDS))
def test_each_demo_profile_comes_to_its_end_or_waits_for_a_person(
    partner: Partner, references: dict[str, str], person: str
) -> None:
    comes_to(partner, references[person], ENDS[person])


def test_manager_decides_in_a_browser_and_the_officers_page_shows_the_payout(
    office: EmulatedOffice,
    partner: Partner,
    references: dict[str, str],
    sign_in: Callable[[str], Page],
) -> None:
    comes_to(partner, references["alice"], "manager")
    officer = sign_in("officer")
    officer.goto("/admin/applications/loanapplication/")
    officer.click(f"text={references['alice']}")
    officer.evaluate("window.notReloaded = true")
    badge = officer.locator("#application-head .badge").first
    expect(badge).to_have_text("Pending approval", timeout=LONGEST * 1000)

    manager = sign_in("manager")
    manager.goto("/admin/reviews/reviewtask/?mine=yes")
    manager.click(f"text={references['alice']}")
    manager.click("#press-approve")
    manager.click("button.press-good")
    said = manager.locator(".messagelist .success")
    expect(said).to_contain_text("approved", timeout=LONGEST * 1000)

    expect(badge).to_have_text("Funded", timeout=LONGEST * 1000)
    assert officer.evaluate("window.notReloaded === true")
    paid = rows(
        office,
        "SELECT d.status FROM applications_disbursement d JOIN applications_loanapplication a"
        " ON a.id = d.application_id WHERE a.reference = %s",
        references["alice"],
    )
    assert len(paid) == 1


def test_schedule_of_the_gateways_aws_sweeps(office: EmulatedOffice) -> None:
    assert eventually(
        lambda: rows(office, "SELECT 1 FROM audit_seal LIMIT 1"),
        seconds=LONGEST,
        what="the event of each minute did not sweep",
    )


def test_case_that_sleeps_through_an_update_is_decided_and_funded_afterwards(
    office: EmulatedOffice,
    partner: Partner,
    references: dict[str, str],
    sign_in: Callable[[str], Page],
) -> None:
    comes_to(partner, references["erin"], "manager")
    before = packages(office)
    (office.checkout / "loanoffice" / "changed.txt").write_text("another package")
    office.update()
    after = packages(office)
    assert len({*before.values()}) == len({*after.values()}) == 1
    assert {*before.values()} != {*after.values()}

    manager = sign_in("manager")
    manager.goto("/admin/reviews/reviewtask/?mine=yes")
    manager.click(f"text={references['erin']}")
    manager.click("#press-approve")
    manager.click("button.press-good")
    comes_to(partner, references["erin"], "funded")


def packages(office: EmulatedOffice) -> dict[str, str]:
    """The package that each function runs."""
    client = office.client("lambda")
    found = {
        name: client.get_function_configuration(FunctionName=name, Qualifier=ALIAS)
        for name in COMPANIONS
    }
    found[WEB] = client.get_function_configuration(FunctionName=WEB)
    return {name: configuration["CodeSha256"] for name, configuration in found.items()}


def test_undeploy_is_refused_while_a_case_is_open_and_done_afterwards(
    office: EmulatedOffice, partner: Partner, references: dict[str, str]
) -> None:
    comes_to(partner, references["dana"], "risk_analyst")
    said = office.undeploy(code=1)
    assert re.search(rf"\d unfinished executions? of {LOAN_APPROVAL}", said)
    assert partner.state(references["dana"]) == "risk_analyst"

    for reference in references.values():  # without a browser there are more than one
        if partner.state(reference) in {"manager", "risk_analyst"}:
            partner.ask(f"{API}{reference}/withdraw/", {})
    client = office.client("lambda")
    eventually(
        lambda: not open_executions(client),
        seconds=LONGEST,
        what="the execution of an application that was withdrawn does not end",
    )
    office.undeploy()
    there = {each["FunctionName"] for each in client.list_functions()["Functions"]}
    assert there & {WEB, *COMPANIONS} == set()


def open_executions(client: Any) -> list[Any]:
    found = client.list_durable_executions_by_function(
        FunctionName=LOAN_APPROVAL, Statuses=["RUNNING", "PAUSING", "PAUSED"]
    )
    return list(found["DurableExecutions"])


def test_nothing_was_left_in_the_checkout(office: EmulatedOffice) -> None:
    assert not list(Path(office.checkout).glob("*.zip"))
