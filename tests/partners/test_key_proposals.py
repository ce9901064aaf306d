"""A key that may write takes two people, wherever it is asked for; one that only reads, one."""

import ast
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import proposals
from accounts.errors import OwnProposal, ProposalClosed, ProposalVoid
from accounts.models import Proposal
from accounts.roles import Role
from audit.models import Action, AuditEntry
from partners.errors import InvalidExpiry, KeyIssuedAlready, KeyNotLive
from partners.models import Partner, PartnerKey
from partners.proposals import MadeKey, key_issue, key_rotate
from partners.services import keys
from partners.services.keys import SCOPES, partner_key_recognise, partner_key_revoke
from tests.hard_cases.together import together

pytestmark = pytest.mark.django_db

READ = ("applications:read",)
WRITE = ("applications:read", "applications:write")
SECRET = re.compile(r'id="issued-secret">([^<]+)<')
BESIDE = pytest.mark.django_db(transaction=True)


@pytest.fixture
def maker(make_user: Callable[..., User]) -> User:
    return make_user("partners", Role.PARTNER_MANAGER)


@pytest.fixture
def checker(make_user: Callable[..., User]) -> User:
    return make_user("partners2", Role.PARTNER_MANAGER)


def proposed(made: MadeKey | Proposal) -> Proposal:
    assert isinstance(made, Proposal)
    return made


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def confirm_page(proposal: Proposal) -> str:
    return reverse("admin:accounts_proposal_confirm", args=[proposal.pk])


def run(*arguments: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("partner_key", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def issued() -> AuditEntry:
    return AuditEntry.objects.filter(action=Action.ISSUED).latest("id")


# --- Services -----------------------------------------------------------------------------


def test_key_that_only_reads_is_issued_at_once(partner: Partner, maker: User) -> None:
    made = key_issue(partner=partner, user=maker, scopes=READ)

    assert isinstance(made, MadeKey)
    assert partner_key_recognise(made.key) == made.row
    assert made.key not in repr(made)
    rotated = key_rotate(partner_key=made.row, user=maker)
    assert isinstance(rotated, MadeKey)
    assert not Proposal.objects.exists()


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if scope not in READ])
def test_each_scope_that_is_not_for_reading_takes_two(
    partner: Partner, maker: User, scope: str
) -> None:
    assert isinstance(key_issue(partner=partner, user=maker, scopes=(scope,)), Proposal)
    assert not PartnerKey.objects.exists()


def test_confirmation_makes_the_key_shown_to_whoever_confirms(
    partner: Partner, maker: User, checker: User
) -> None:
    ends = timezone.now() + timedelta(days=30)
    proposal = proposed(
        key_issue(partner=partner, user=maker, label="Branch", scopes=WRITE, expires_at=ends)
    )
    assert [row[0] for row in proposal.rows] == ["Partner", "Label", "Scopes", "Expires"]
    assert not PartnerKey.objects.exists()

    outcome = proposals.proposal_confirm(proposal=proposal, user=checker).outcome

    row = partner_key_recognise(outcome.secret)
    assert row is not None
    assert (row.partner, row.label, tuple(row.scopes), row.expires_at) == (
        partner,
        "Branch",
        WRITE,
        ends,
    )
    # Neither of the two may decide what comes by the key.
    assert (row.issued_by, row.proposed_by) == (checker, maker)
    entry = issued()
    assert entry.actor == checker
    assert entry.details["proposed_by"] == "partners"
    assert entry.details["confirmed_by"] == "partners2"
    everything = [*Proposal.objects.values(), *AuditEntry.objects.values()]
    assert outcome.secret not in str(everything)


def test_rotation_of_a_key_that_may_write_is_confirmed(
    partner: Partner, partner_key: str, maker: User, checker: User
) -> None:
    old = PartnerKey.objects.get()
    proposal = proposed(key_rotate(partner_key=old, user=maker, overlap=timedelta()))
    assert proposed(key_rotate(partner_key=old, user=maker, overlap=timedelta())) == proposal
    assert partner_key_recognise(partner_key) == old

    outcome = proposals.proposal_confirm(proposal=proposal, user=checker).outcome

    new = partner_key_recognise(outcome.secret)
    assert new is not None
    assert new.replaces == old
    assert (new.issued_by, new.proposed_by) == (checker, maker)
    assert partner_key_recognise(partner_key) is None
    assert issued().details["proposed_by"] == "partners"


@pytest.mark.parametrize("what", ["revoked", "expiry", "rotated", "partner"])
def test_rotation_is_void_when_the_key_or_its_partner_changed(
    partner: Partner, partner_key: str, maker: User, checker: User, what: str
) -> None:
    old = PartnerKey.objects.get()
    proposal = proposed(key_rotate(partner_key=old, user=maker))
    if what == "revoked":
        partner_key_revoke(partner_key=old)
    elif what == "expiry":
        PartnerKey.objects.update(expires_at=timezone.now() + timedelta(days=1))
    elif what == "rotated":
        keys.partner_key_rotate(partner_key=old)
    else:
        Partner.objects.update(is_active=False)
    before = PartnerKey.objects.count()

    with pytest.raises(ProposalVoid, match="The key or its partner has changed since"):
        proposals.proposal_confirm(proposal=proposal, user=checker)

    assert PartnerKey.objects.count() == before


def test_what_cannot_be_made_is_not_proposed(
    partner: Partner, partner_key: str, maker: User
) -> None:
    old = PartnerKey.objects.get()
    partner_key_revoke(partner_key=old)
    with pytest.raises(KeyNotLive):
        key_rotate(partner_key=PartnerKey.objects.get(), user=maker)
    with pytest.raises(InvalidExpiry):
        key_issue(partner=partner, user=maker, expires_at=timezone.now() - timedelta(days=1))
    with pytest.raises(ValueError, match="unknown scopes: everything"):
        key_issue(partner=partner, user=maker, scopes=("everything",))
    assert not Proposal.objects.exists()


@pytest.mark.both_databases
@BESIDE
def test_confirmations_at_the_same_moment_make_one_key(
    partner: Partner, maker: User, make_user: Callable[..., User]
) -> None:
    proposal = proposed(key_issue(partner=partner, user=maker, scopes=WRITE))
    others = [make_user(f"other{number}", Role.PARTNER_MANAGER) for number in range(4)]

    found = together(
        [partial(proposals.proposal_confirm, proposal=proposal, user=user) for user in others]
    )

    assert sum(isinstance(each, proposals.Confirmation) for each in found) == 1
    assert sum(isinstance(each, ProposalClosed) for each in found) == 3
    assert PartnerKey.objects.count() == 1


# --- The setting for one person --------------------------------------------------------------


def test_one_person_confirms_their_own_only_with_the_setting_and_on_record(
    partner: Partner, maker: User, settings: Any
) -> None:
    proposal = proposed(key_issue(partner=partner, user=maker, scopes=WRITE))
    with pytest.raises(OwnProposal):
        proposals.proposal_confirm(proposal=proposal, user=maker)

    settings.LOANOFFICE_SINGLE_ADMIN = True
    proposals.proposal_confirm(proposal=proposal, user=maker)

    assert issued().details["alone"] == "LOANOFFICE_SINGLE_ADMIN"
    assert Proposal.objects.get().confirmed_alone


# --- The pages ------------------------------------------------------------------------------


def test_form_of_a_key_that_may_write_leads_to_its_proposal_and_the_key_is_shown_once(
    partner: Partner, maker: User, checker: User
) -> None:
    issue = reverse("admin:partners_partner_issue_key", args=[partner.pk])
    typed = {"form_id": "0b57a2a6-6f7e-4c4e-9d53-4d9a3c5b1f00", "scopes": list(WRITE)}
    client = as_user(maker)

    answer = client.post(issue, typed, follow=True)

    proposal = Proposal.objects.get()
    assert "It waits for partners2." in answer.content.decode()
    assert not PartnerKey.objects.exists()
    client.post(issue, typed)  # sent twice
    assert Proposal.objects.get() == proposal

    shown = as_user(checker).post(confirm_page(proposal))
    found = SECRET.search(shown.content.decode())
    assert found is not None
    assert partner_key_recognise(found[1]) is not None
    assert "no-store" in shown["Cache-Control"]
    again = client.post(issue, typed)
    assert again.status_code == KeyIssuedAlready.http_status
    assert "This form issued the key" in again.content.decode()


def test_page_of_a_key_leads_to_its_open_rotation(
    partner: Partner, partner_key: str, maker: User, checker: User
) -> None:
    key = PartnerKey.objects.get()
    client = as_user(maker)
    client.post(reverse("admin:partners_partnerkey_rotate", args=[key.pk]), {"overlap": "24"})

    html = client.get(reverse("admin:partners_partnerkey_change", args=[key.pk])).content.decode()

    assert 'id="to-proposal"' in html
    assert 'id="press-rotate"' not in html
    assert PartnerKey.objects.get() == key


# --- The command ------------------------------------------------------------------------------


def test_command_proposes_where_a_person_may_confirm(partner: Partner, checker: User) -> None:
    with pytest.raises(CommandError, match="one of partners2, at http") as refused:
        run("issue", partner.name)
    assert refused.value.returncode == 3
    proposal = Proposal.objects.get()
    assert proposal.proposed_by is None
    assert not PartnerKey.objects.exists()
    assert AuditEntry.objects.get(action=Action.PROPOSED).details["proposed_by"] == "the host"

    secret = proposals.proposal_confirm(proposal=proposal, user=checker).outcome.secret

    assert partner_key_recognise(secret) is not None
    with pytest.raises(CommandError, match="There is no key yet"):
        run("rotate", partner.name, secret)


def test_command_issues_a_key_that_only_reads_at_once(partner: Partner, checker: User) -> None:
    out, _ = run("issue", partner.name, "--scope", "applications:read")
    assert partner_key_recognise(out.strip()) is not None
    assert "alone" not in issued().details


@pytest.mark.parametrize("why", ["nobody", "deactivated", "setting"])
def test_command_acts_alone_on_record_where_nobody_may_confirm(
    partner: Partner, maker: User, settings: Any, why: str
) -> None:
    if why == "nobody":
        maker.groups.clear()
    elif why == "deactivated":
        User.objects.update(is_active=False)
    else:
        settings.LOANOFFICE_SINGLE_ADMIN = True

    out, err = run("issue", partner.name)

    assert partner_key_recognise(out.strip()) is not None
    reason = "LOANOFFICE_SINGLE_ADMIN is set" if why == "setting" else "no person may confirm it"
    assert f"Nobody confirms this ({reason}); the audit log says so." in err
    assert issued().details["alone"] == f"on the host; {reason}"
    run("rotate", partner.name, out.strip())
    assert issued().details["alone"] == f"on the host; {reason}"


# --- No other way -----------------------------------------------------------------------------


def test_nothing_else_makes_a_key() -> None:
    """All code of the product goes through the proposals, except what makes data of the demo."""
    makers = {"partner_key_issue", "partner_key_rotate", "PartnerKey"}
    allowed = {"partners/services/keys.py", "partners/proposals.py"}
    demo = {"devtools/demo_data.py", "devtools/chaos/people.py"}
    base = Path(configured.BASE_DIR)
    calling = set()
    for path in base.glob("*/**/*.py"):
        place = str(path.relative_to(base))
        if place.startswith((".venv", "tests/", "benchmarks/", "var/")) or "/migrations/" in place:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in makers:
                    calling.add(place)
    assert calling == allowed | demo
