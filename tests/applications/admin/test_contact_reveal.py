"""Contact details are hidden until somebody asks, and the audit log keeps who did."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.admin import contact_reveal
from applications.models import LoanApplication
from audit.models import Action, AuditEntry
from tests import casework
from tests.applications.admin.conftest import Login, decide_page, page, said
from tests.casework import ALICE
from tests.permissions import permit

SECRETS = (ALICE["address"], ALICE["phone"], ALICE["email"], "85000", "85,000")
MASKS = ("1••••", "6••-•••-••01", "a••••@e••••.com", "••11", ">••••<")


def secrets_in(client: Client, address: str) -> list[str]:
    html = client.get(address).content.decode()
    return [secret for secret in SECRETS if secret in html]


@pytest.mark.parametrize("who", ["officer", "manager", "analyst", "auditor", "operations"])
def test_page_of_a_case_masks_them_for_everybody(
    login: Login, waiting: LoanApplication, who: str, request: pytest.FixtureRequest
) -> None:
    client = login(request.getfixturevalue(who))

    for address in (page("change", waiting), page("live", waiting)):
        assert secrets_in(client, address) == []
    html = client.get(page("change", waiting)).content.decode()
    assert [mask for mask in MASKS if mask not in html] == []


def test_decider_does_not_see_the_income_before_it_was_revealed(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    assert secrets_in(client, decide_page(waiting, "approve")) == []

    client.post(page("reveal", waiting))

    assert "85,000" in secrets_in(client, decide_page(waiting, "approve"))


@pytest.mark.parametrize("who", ["officer", "manager", "senior", "analyst"])
def test_reveal_shows_them_and_is_on_record(
    login: Login, waiting: LoanApplication, who: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    client = login(user)

    answer = client.post(
        page("reveal", waiting), headers={"User-Agent": "Desk 7", "X-Request-Id": "r-1"}
    )

    assert answer.url == page("change", waiting)
    shown = secrets_in(client, page("change", waiting))
    assert {ALICE["address"], ALICE["phone"], ALICE["email"]} <= set(shown)
    entry = AuditEntry.objects.get(action=Action.REVEALED)
    assert (entry.actor, entry.reference) == (user, waiting.reference)
    assert (entry.address, entry.user_agent, entry.request_id) == ("127.0.0.1", "Desk 7", "r-1")


@pytest.mark.parametrize("who", ["auditor", "operations"])
def test_who_lacks_the_permission_is_not_offered_it_and_refused(
    login: Login, waiting: LoanApplication, who: str, request: pytest.FixtureRequest
) -> None:
    client = login(request.getfixturevalue(who))
    assert page("reveal", waiting) not in client.get(page("change", waiting)).content.decode()

    answer = client.post(page("reveal", waiting))

    assert said(answer) == ["You may not have contact details shown."]
    assert secrets_in(client, page("change", waiting)) == []
    assert not AuditEntry.objects.filter(action=Action.REVEALED).exists()


def test_link_reveals_nothing(login: Login, waiting: LoanApplication, manager: User) -> None:
    client = login(manager)

    assert client.get(page("reveal", waiting)).status_code == 405
    assert secrets_in(client, page("change", waiting)) == []


def test_post_without_the_csrf_token_reveals_nothing(
    waiting: LoanApplication, manager: User
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)

    assert client.post(page("reveal", waiting)).status_code == 403
    assert secrets_in(client, page("change", waiting)) == []


def test_they_are_shown_to_that_person_in_that_session_for_that_case_only(
    login: Login, waiting: LoanApplication, manager: User, senior: User, officer: User
) -> None:
    client = login(manager)
    other = casework.waiting_for_manager(officer)

    client.post(page("reveal", waiting))

    assert secrets_in(client, page("change", other)) == []
    assert secrets_in(login(manager), page("change", waiting)) == []
    assert secrets_in(login(senior), page("change", waiting)) == []


def test_they_are_hidden_again_when_the_time_is_over_or_the_permission_is_taken(
    login: Login, waiting: LoanApplication, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = login(manager)
    client.post(page("reveal", waiting))
    assert secrets_in(client, page("change", waiting))

    manager.groups.clear()
    User.objects.filter(pk=manager.pk).update(is_staff=True)
    permit(manager, "view_loanapplication")
    assert secrets_in(client, page("change", waiting)) == []

    permit(manager, "reveal_contact")
    assert secrets_in(client, page("change", waiting))
    later = timezone.now() + contact_reveal.SHOWN_FOR
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert secrets_in(client, page("change", waiting)) == []


def test_author_of_a_draft_sees_what_they_typed_and_nobody_else_does(
    login: Login, draft: LoanApplication, officer: User, make_user: Callable[..., User]
) -> None:
    colleague = make_user("colleague", Role.LOAN_OFFICER)

    assert ALICE["phone"] in secrets_in(login(officer), page("change", draft))
    assert secrets_in(login(colleague), page("change", draft)) == []


def test_colleague_edits_a_draft_without_touching_what_is_hidden(
    login: Login, draft: LoanApplication, make_user: Callable[..., User]
) -> None:
    client = login(make_user("colleague", Role.LOAN_OFFICER))
    form = client.get(page("change", draft)).context["adminform"].form
    assert not set(form.fields) & contact_reveal.CONTACT.keys()
    typed = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}

    client.post(page("change", draft), {**typed, "loan_amount": "90000", "_save": "yes"})

    draft.refresh_from_db()
    assert draft.loan_amount == 90000
    assert {name: getattr(draft, name) for name in ALICE} | {"loan_amount": 0} == {
        **ALICE,
        "loan_amount": 0,
    }


@pytest.mark.parametrize(
    ("after", "is_saved"),
    [(contact_reveal.SHOWN_FOR + timedelta(minutes=1), True), (contact_reveal.TYPED_FOR, False)],
)
def test_what_was_begun_while_they_were_shown_may_be_saved_a_little_later_and_not_for_ever(
    login: Login,
    waiting: LoanApplication,
    officer: User,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    after: timedelta,
    is_saved: bool,
) -> None:
    settings.LOANOFFICE_SESSION_IDLE = timedelta(hours=2)
    client = login(officer)
    client.post(page("reveal", waiting))
    typed = {
        "address": "1 New Road",
        "phone": "613-555-0142",
        "email": "",
        "read_version": waiting.version,
    }
    later = timezone.now() + after
    monkeypatch.setattr(timezone, "now", lambda: later)

    answer = client.post(page("change", waiting), {**typed, "_save": "yes"})

    waiting.refresh_from_db()
    assert (waiting.phone == "613-555-0142") is is_saved
    assert (said(answer)[-1] == contact_reveal.TOO_LATE) is not is_saved


def test_edit_is_on_record_with_both_values_masked(
    login: Login, waiting: LoanApplication, officer: User
) -> None:
    client = login(officer)
    client.post(page("reveal", waiting))
    typed = {"address": ALICE["address"], "phone": "416-555-0202", "email": "bob@example.com"}

    client.post(page("change", waiting), {**typed, "read_version": waiting.version, "_save": "yes"})

    entry = AuditEntry.objects.get(action=Action.CHANGED)
    assert entry.changes == {
        "phone": ["6••-•••-••01", "4••-•••-••02"],
        "email": ["a••••@e••••.com", "b••••@e••••.com"],
    }


def test_opening_a_case_is_on_record_once_a_quarter_of_an_hour_and_polling_is_not(
    login: Login, waiting: LoanApplication, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = login(manager)
    looks = AuditEntry.objects.filter(action=Action.VIEWED, reference=waiting.reference)

    for _ in range(3):
        client.get(page("live", waiting))
    assert not looks.exists()
    for _ in range(3):
        client.get(page("change", waiting))
    assert [entry.actor for entry in looks] == [manager]

    later = timezone.now() + timedelta(minutes=16)
    monkeypatch.setattr(timezone, "now", lambda: later)
    client.get(page("change", waiting))
    assert looks.all().count() == 2


@pytest.mark.parametrize("name", ["withdraw", "timeline", "restart"])
def test_other_pages_of_a_case_are_looks_too(
    login: Login, waiting: LoanApplication, make_user: Callable[..., User], name: str
) -> None:
    root = make_user("root", *Role, is_superuser=True)

    login(root).get(page(name, waiting))

    entry = AuditEntry.objects.get(action=Action.VIEWED)
    assert (entry.actor, entry.reference) == (root, waiting.reference)


def test_download_is_on_record(login: Login, funded: LoanApplication, analyst: User) -> None:
    document = funded.documents.get()

    answer = login(analyst).get(page("document", funded, document.pk))

    assert answer.status_code == 200
    assert b"".join(answer.streaming_content)
    entry = AuditEntry.objects.get(action=Action.DOWNLOADED)
    assert (entry.actor, entry.reference) == (analyst, funded.reference)
    assert entry.object_id == str(document.pk)


@pytest.fixture
def funded(officer: User) -> LoanApplication:
    return casework.funded(officer)
