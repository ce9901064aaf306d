"""Every page, e-mail and letter writes its times in one format, and names the zone once.

The same walk looks for words of Django and AWS, which nobody at a desk knows, and for the codes
that the software stores where people have words.
"""

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.mail import EmailMessage
from django.db.models import Model
from django.utils import timezone

from accounts.models import FailedSignIn
from accounts.roles import Role
from accounts.services.invitations import invitation_send
from applications.choices import Status
from applications.models import LoanApplication
from applications.services.intake import (
    application_create,
    application_edit,
    application_submit,
    application_withdraw,
)
from applications.services.notes import note_add
from audit import times
from core.admin.row_actions import row_url
from lending.choices import Outcome
from partners.models import Partner, PartnerKey
from partners.proposals import key_issue
from partners.services import keys
from reviews.choices import MailMode, TaskKind
from reviews.models import MailChoice, ReviewTask
from reviews.services.bulk_decisions import Read, bulk_begin, bulk_carry_on
from reviews.services.delegation import delegation_create
from reviews.services.mail_choices import digest_at
from tests import casework
from tests.applications.admin.conftest import page
from tests.hard_cases.test_case_17_links_that_are_followed import Addresses
from tests.loanoffice import stage
from tests.loanoffice.page_text import Text, badly_shown
from tests.sizes import size, some
from tests.workflows import trouble
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookEndpoint
from workflows import digests, executions
from workflows.models import OutboxMessage, PeriodicRun
from workflows.outbox import emails
from workflows.outbox.letters import LETTERS
from workflows.outbox.task_letters import Notice
from workflows.steps import review
from workflows.undecidable import nobody_can_decide

pytestmark = pytest.mark.django_db
ROOT = Path(settings.BASE_DIR)
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
OTHER_FORMATS = {
    "ISO 8601": re.compile(r"(?<!/)\b\d{4}-\d\d-\d\d\b"),  # paths of AWS begin with a date
    "month first": re.compile(rf"\b(?:{MONTHS})\s+\d{{1,2}}\b(?!:)"),
    "month cut off": re.compile(
        r"\b\d{1,2} (?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)\b"
        r"|\b[JFMASOND][a-z]{2,3}\. \d{1,2}, \d{4}"
    ),
    "slashes": re.compile(r"\b\d{1,2}/\d{1,2}/\d{2,4}\b"),
    "half days": re.compile(r"\d\s?[ap]\.?m\b|, (?:noon|midnight)\b", re.IGNORECASE),
    "hour of one digit": re.compile(r"(?<![\d:.])\d:\d\d\b"),
    "comma before the time": re.compile(r"\b\d{4}, \d\d:\d\d\b"),
    "another zone": re.compile(r"\bUTC\b|\b[ECMP][SD]T\b"),
}
IN_THE_FORMAT = re.compile(rf"\b\d{{1,2}} (?:{MONTHS}) \d{{4}} \d\d:\d\d\b")

# Words of the software, not of the office.
TECHNICAL = re.compile(
    r"\b(?:objects?|querysets?|ARN|Lambda|constraints?|primary key|foreign key|"
    # Auditors and administrators read what the rows of the record are called.
    r"(?<!pending )callbacks?(?! (?:request|token))|"
    r"Authentication and Authorization|Select [a-z ]+ to (?:view|change)|LDAP|Designates|"
    r"authenticat(?:e|ion)|hash|user-group)\b",
    re.IGNORECASE,
)
# The engine is the subject of these pages, which Operations alone works with.
OF_THE_ENGINE = re.compile(r"^/admin/workflows/|^/admin/system/|/timeline/$")
# What is stored: reason codes, values of choices, types of events, names of operations and errors.
CODES = re.compile(
    r"\b(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[a-z][a-z0-9]*(?:_[a-z0-9]+)+"
    r"|(?:application|endpoint)\.[a-z_]+|[A-Z][a-z]+(?:[A-Z][a-z]+)*(?:Error|Exception))\b"
)
# Whoever words a decline reason also gives it the code that partners get.
OF_THE_CATALOGUE = re.compile(r"^/admin/reviews/declinereason/")
SPOKEN = re.compile(r'(?:aria-label|title|alt|placeholder)="([^"]*)"')


@pytest.fixture
def root(db: None) -> User:
    """Somebody with every role, in an office with something on each of its pages."""
    everything = User.objects.create_superuser("everything", "everything@example.com", "demo")
    everything.groups.set(Group.objects.all())
    people = {role: person(role) for role in Role}
    officer, manager = people[Role.LOAN_OFFICER], people[Role.MANAGER]
    partner = Partner.objects.create(name="Maple Brokers")
    now = timezone.now()
    expires_at = now + timedelta(days=30)
    keys.partner_key_issue(partner=partner, expires_at=expires_at)
    maker = people[Role.PARTNER_MANAGER]
    key_issue(partner=partner, user=maker, label="web", expires_at=expires_at)
    invitation_send(user=officer, by=everything)
    senior, ends = people[Role.SENIOR_MANAGER], now + timedelta(days=2)
    delegation_create(delegator=manager, delegate=senior, starts_at=now, ends_at=ends, by=manager)
    case = casework.waiting_for_manager(None, partner=partner)
    MailChoice.objects.create(user=manager, mode=MailMode.AT_ONCE)
    note_add(reference=case.reference, user=officer, text="For @manager: the employer called.")
    executions.execution_finish(casework.run_of(casework.funded(officer)), Status.FUNDED)
    trouble.stuck(officer)
    casework.change_policies(offer_acceptance_required=True)
    casework.ask(casework.offered(None, partner=partner), TaskKind.OFFER_ACCEPTANCE)
    ReviewTask.objects.filter(kind=TaskKind.MANAGER_APPROVAL).update(undecidable_since=now)
    undecidable = ReviewTask.objects.get(kind=TaskKind.MANAGER_APPROVAL)
    nobody_can_decide(tasks={undecidable: "All are away."})
    trouble.questions(officer, manager)
    return everything


def several_endings() -> None:
    """Add declines by the policy and by a person in bulk, a withdrawal, what got lost."""
    officer, senior = (
        User.objects.get(username=login(role)) for role in (Role.LOAN_OFFICER, Role.SENIOR_MANAGER)
    )
    partner = Partner.objects.get()
    casework.change_policies(offer_acceptance_required=False)
    endpoint_create(partner=partner, url="https://partner.example.com/", event_types=None)
    WebhookEndpoint.objects.update(previous_until=timezone.now() + timedelta(days=1))
    FailedSignIn.objects.create(username="somebody", failures_since_start=1)
    casework.assess(casework.submit(None, partner=partner, sin_last4="3333", loan_amount=26_000))
    trouble.start_given_up(officer)
    trouble.payout_unknown(officer)
    draft = application_create(user=officer, **casework.ALICE)
    application_edit(reference=draft.reference, user=officer, purpose="home_improvement")
    application_submit(reference=draft.reference, user=officer)
    application_withdraw(reference=draft.reference, user=officer, reason="Another lender.")
    declined = casework.waiting_for_manager(None, partner=partner)
    run = bulk_begin(
        user=senior,
        token=uuid4(),
        outcome=Outcome.DECLINE,
        rows=[Read(declined.pk, declined.review_tasks.get().pk, declined.version)],
        reason_code="INCOME_NOT_VERIFIED",
    )
    assert run is not None
    bulk_carry_on(run=run)
    review.declined_on_review(casework.run_of(declined), TaskKind.MANAGER_APPROVAL)


def login(role: Role) -> str:
    return role.key.replace("_", "-")


def person(role: Role) -> User:
    name = login(role)
    user = User.objects.create_user(name, f"{name}@example.com", "demo", is_staff=True)
    user.groups.add(Group.objects.get(name=role.value))
    return user


def foreign(text: str) -> list[str]:
    """Return the first text in each of the other formats."""
    return [
        f"{name}: {text[max(0, found.start() - 40) : found.end() + 20]}"
        for name, pattern in OTHER_FORMATS.items()
        if (found := pattern.search(text))
    ]


def technical(*texts: str) -> list[str]:
    """Return each word of the software among these texts, with what stands around it."""
    return [
        f"technical: {text[max(0, found.start() - 40) : found.end() + 20]}"
        for text in texts
        for found in TECHNICAL.finditer(text)
    ]


class Shown(Text):
    """The text with what looks as if a program wrote it."""

    QUOTED = Text.QUOTED - {"code"}


def codes(html: str) -> list[str]:
    """Return each code of the page that people see."""
    found = dict.fromkeys(CODES.findall(Shown(html).text))
    return [f"code: {code}" for code in found if not code.startswith(keys.KEY_PREFIX)]


def rows_of(model: type[Model]) -> list[Model]:
    """Return the newest row of a model; of one with kinds or actions, the newest of each."""
    rows = model._default_manager.order_by("pk")
    names = {field.name for field in model._meta.fields}
    kind = next((name for name in ("kind", "action", "event_type") if name in names), None)
    found = {getattr(row, kind) if kind else None: row for row in rows}
    return list(found.values())


def addresses() -> list[str]:
    """Every address of the project for one application, and the page of a row of every model."""
    first, *others = LoanApplication.objects.order_by("pk")
    drawn = [page(name, each) for each in others for name in ("change", "timeline")]
    rows = [row_url(row) for model in admin.site._registry for row in rows_of(model)]
    found = dict.fromkeys((*Addresses([first]), *drawn, *rows))
    return [each for each in found if not re.search("logout|health|^/api/|jsi18n", each)]


@pytest.fixture
def _refusals_are_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)


@pytest.mark.long
@pytest.mark.usefixtures("_refusals_are_not_logged", "behind_the_stage")
def test_pages_write_all_times_in_one_format_and_lead_nowhere_outside_of_the_stage(
    root: User,
) -> None:
    """One walk for both, because it takes seconds. Each page names the zone once."""
    several_endings()
    client = stage.caller()
    client.force_login(root)
    wrong: dict[str, list[str]] = {}
    outside: dict[str, set[str]] = {}
    drawn, moments = 0, 0
    every = dict.fromkeys(each.removeprefix(stage.STAGE) for each in addresses())
    for address in some(every, of=5):
        answer = client.get(address)
        if leads := stage.leads_outside(answer):
            outside[address] = leads
        assert answer.status_code < 500, address
        if answer.status_code != 200 or not answer.get("Content-Type", "").startswith("text/html"):
            continue
        html = answer.content.decode()
        text = Text(html).text
        drawn += 1
        moments += len(IN_THE_FORMAT.findall(text))
        problems = foreign(text)
        if not OF_THE_ENGINE.search(address):
            # The menu names the pages of Operations.
            outside_of_menus = re.sub(r"<nav\b.*?</nav>", "", html, flags=re.DOTALL)
            problems += technical(Text(outside_of_menus).text, *SPOKEN.findall(html))
        if "</html>" in html and text.count(times.zone_name()) != 1:
            problems.append(f"the zone is named {text.count(times.zone_name())} times")
        problems += badly_shown(html, text)
        if not OF_THE_CATALOGUE.search(address):
            problems += codes(html)
        if problems:
            wrong[address] = problems

    # What each role sees of an application and no other role does.
    for role in [*Role][: size(short=1, long=len(Role))]:
        client.force_login(User.objects.get(username=login(role)))
        for application in LoanApplication.objects.all()[: size(short=1, long=20)]:
            address = page("change", application).removeprefix(stage.STAGE)
            if problems := codes(client.get(address).content.decode()):
                wrong[f"{address} for {role}"] = problems

    assert not wrong, "\n".join(f"{where}: {', '.join(said)}" for where, said in wrong.items())
    assert outside == {}
    assert drawn > size(short=15, long=80)
    assert moments > size(short=20, long=100)


def payloads() -> Iterator[dict[str, Any]]:
    """Yield the payload of each letter of the outbox, with every notice and recipient."""
    for message in OutboxMessage.objects.filter(kind=OutboxMessage.Kind.EMAIL):
        notices = Notice if "task" in message.payload else [message.payload.get("notice")]
        for notice in notices:
            payload = message.payload | ({} if notice is None else {"notice": notice})
            audience = emails.audience(payload)
            if audience is None:
                yield payload
            else:
                yield from ({**payload, "user": each.user} for each in audience)


def test_letters_write_all_times_in_one_format_and_name_the_zone_once(root: User) -> None:
    people = (User.objects.get(username=login(role)) for role in (Role.LOAN_OFFICER, Role.MANAGER))
    trouble.approval_voided(*people)
    PeriodicRun.objects.create(name=digests.NAME)
    digests.digests_write(now=digest_at(timezone.localdate() + timedelta(days=1)))
    built: dict[str, list[EmailMessage]] = {}
    for payload in payloads():
        letter = emails.build_email(payload)
        if letter is not None:
            names = [name for name in (*LETTERS, "task", "application") if name in payload]
            built.setdefault(names[0], []).append(letter)

    assert set(built) == {*LETTERS, "task", "application"}
    for letters in built.values():
        for letter in letters:
            assert foreign(f"{letter.subject} {letter.body}") == []
            assert str(letter.body).count(times.zone_name()) == 1
            assert str(letter.body).endswith(times.zone_sentence())
    said = " ".join(str(letter.body) for letters in built.values() for letter in letters)
    assert len(IN_THE_FORMAT.findall(said)) > 5
    assert len(PartnerKey.objects.all()) == 1


# What programs read, and names of files: these may format times by themselves.
FOR_PROGRAMS = {
    "accounts/invitation_tokens.py",
    "applications/admin/export.py",
    "audit/admin/export.py",
    "audit/sealed_tables.py",
    "audit/sealing.py",
    "audit/times.py",
    "audit/admin/entries.py",  # the attribute of a <time>
    "core/admin/display.py",  # the attribute of a <time>
    "core/admin/forms.py",  # the value of a datetime-local
    "devtools/seeding/bulk_insert.py",
    "loanoffice/logs.py",
    "partners/admin/keys.py",  # the value of a datetime-local
    "partners/api/pagination.py",
    "partners/management/commands/partner_key.py",  # columns for programs, with the offset
    "partners/proposals.py",  # parameters that are stored
    "reviews/proposals.py",  # parameters that are stored
    "webhooks/events.py",
    "workflows/digests.py",  # the day in the key of a message
    "workflows/management/commands/drain.py",  # its JSON, and a column that sorts
    "workflows/outbox/queue.py",  # failures that are stored
    "workflows/providers/vendor.py",
    "workflows/undecidable.py",  # the key of a message
    "workflows/reconcile/rounds.py",  # JSON that is stored
}
PACKAGES = (
    "accounts",
    "applications",
    "audit",
    "core",
    "devtools",
    "lending",
    "loanoffice",
    "partners",
    "reviews",
    "webhooks",
    "workflows",
)
FORMATS_BY_ITSELF = re.compile(
    r"strftime\(|\.isoformat|:%[A-Za-z]|%[YHmd][-:%]|date_format\(|\bEmailMessage\("
)
FILTERS = re.compile(r"\|(?:date|time)(?!\w)|\{%\s*now\b")
# The one place where an e-mail is made, so that none leaves without the zone.
MAKES_EMAILS = "workflows/outbox/letters.py"


def test_no_other_module_formats_a_time_or_makes_an_email() -> None:
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if FORMATS_BY_ITSELF.search(path.read_text(encoding="utf-8")):
                found.add(name)
    assert found == FOR_PROGRAMS | {MAKES_EMAILS}


def test_no_template_formats_a_time_by_itself() -> None:
    found = [
        line.strip()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.html")
        for line in path.read_text(encoding="utf-8").splitlines()
        if FILTERS.search(re.sub(r'\bid="day-[^"]*"|labelledby="day-[^>]*>', "", line))
    ]
    assert found == []
