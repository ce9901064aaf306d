"""Handing tasks over in the admin, and deciding what somebody else handed over."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Proposal
from accounts.roles import Role
from applications.choices import Status
from applications.models import LoanApplication
from audit import times
from reviews.models import Delegation, ReviewDecision
from reviews.services.delegation import delegation_create
from tests import casework
from tests.applications.admin.conftest import LIST as CASES
from tests.applications.admin.conftest import Login, decide_page, page, said

LIST = "/admin/reviews/delegation/"
ADD = f"{LIST}add/"
DAY = timedelta(days=1)


def typed(at: datetime) -> str:
    """As a browser sends a ``datetime-local``."""
    return f"{timezone.localtime(at):%Y-%m-%dT%H:%M}"


def at(name: str, delegation: Delegation) -> str:
    return reverse(f"admin:reviews_delegation_{name}", args=[delegation.pk])


@pytest.fixture
def stand_in(make_user: Callable[..., User]) -> User:
    """Somebody who decides less than a senior manager."""
    return make_user("stand_in", Role.MANAGER)


@pytest.fixture
def given(senior: User, stand_in: User) -> Delegation:
    now = timezone.now()
    return delegation_create(
        delegator=senior,
        delegate=stand_in,
        starts_at=now - DAY,
        ends_at=now + DAY,
        by=senior,
    )


@pytest.fixture
def waiting(officer: User) -> LoanApplication:
    return casework.waiting_for_manager(officer, loan_amount=300_000)


def shown(client: Client) -> list[Delegation]:
    return list(client.get(LIST).context["cl"].result_list)


# --- Giving ---------------------------------------------------------------------------------


def test_own_tasks_are_handed_over(login: Login, senior: User, stand_in: User) -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    client = login(senior)
    form = client.get(ADD).content.decode()
    assert 'type="datetime-local"' in form
    assert 'name="delegator"' not in form
    assert not Delegation.objects.exists()

    answer = client.post(
        ADD,
        {"delegate": stand_in.pk, "starts_at": typed(now), "ends_at": typed(now + DAY)},
    )

    delegation = Delegation.objects.get()
    assert (delegation.delegator, delegation.delegate) == (senior, stand_in)
    assert (delegation.starts_at, delegation.ends_at) == (now, now + DAY)
    assert delegation.created_by == senior
    assert answer.url == at("change", delegation)
    assert f"stand_in may decide for senior until {times.moment(now + DAY)}." in said(answer)


def test_somebody_elses_tasks_are_proposed_by_a_superuser_and_by_nobody_else(
    login: Login, root: User, manager: User, senior: User, stand_in: User
) -> None:
    now = timezone.now()
    fields = {
        "delegator": manager.pk,
        "delegate": stand_in.pk,
        "starts_at": typed(now),
        "ends_at": typed(now + DAY),
    }

    login(senior).post(ADD, fields)
    answer = login(root).post(ADD, fields, follow=True)

    [row] = Delegation.objects.all()
    assert (row.delegator, row.created_by) == (senior, senior)
    assert "Proposed: Hand over the tasks of manager to stand_in." in answer.content.decode()
    [proposal] = Proposal.objects.all()
    assert (proposal.proposed_by, proposal.status) == (root, Proposal.Status.OPEN)


@pytest.mark.parametrize(
    "wrong",
    [
        ({"delegate": "myself"}, "delegate", "Select a valid choice."),
        ({"delegate": "clerk"}, "delegate", "Select a valid choice."),
        ({"delegate": "auditor"}, "delegate", "Select a valid choice."),
        ({"delegate": "root"}, "delegate", "Select a valid choice."),
        ({"ends_at": -DAY}, "ends_at", "The end has to be after the start."),
        ({"starts_at": -3 * DAY, "ends_at": -DAY}, "ends_at", "The end is over already."),
        ({"ends_at": 400 * DAY}, "ends_at", "At most 366 days."),
        ({"ends_at": ""}, "ends_at", "This field is required."),
        ({"starts_at": "soon"}, "starts_at", "Enter a valid date/time."),
        ({"delegate": "left"}, "delegate", "Select a valid choice."),
        ({"delegate": ""}, "delegate", "This field is required."),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(
    login: Login,
    manager: User,
    stand_in: User,
    make_user: Callable[..., User],
    wrong: tuple[dict[str, Any], str, str],
) -> None:
    changed, field, sentence = wrong
    left = make_user("left", Role.MANAGER)
    clerk, auditor = make_user("clerk", Role.LOAN_OFFICER), make_user("auditor", Role.AUDITOR)
    root = make_user("root", is_superuser=True)
    User.objects.filter(pk=left.pk).update(is_active=False)
    now = timezone.now()
    people = {user.username: user.pk for user in (left, clerk, auditor, root)}
    people["myself"] = manager.pk
    fields: dict[str, Any] = {"delegate": stand_in.pk, "starts_at": timedelta(), "ends_at": DAY}
    for name, value in (fields | changed).items():
        fields[name] = (
            typed(now + value) if isinstance(value, timedelta) else people.get(value, value)
        )

    answer = login(manager).post(ADD, fields)

    assert answer.status_code == 200
    assert sentence in answer.context["form"].errors[field][0]
    assert sentence in answer.content.decode()
    assert not Delegation.objects.exists()


@pytest.mark.parametrize("role", [Role.LOAN_OFFICER, Role.OPERATIONS, Role.AUDITOR])
def test_who_may_not_delegate_has_no_form(
    login: Login, make_user: Callable[..., User], stand_in: User, role: Role
) -> None:
    client = login(make_user("somebody", role))
    now = timezone.now()
    fields = {"delegate": stand_in.pk, "starts_at": typed(now), "ends_at": typed(now + DAY)}

    assert "/delegation/add/" not in client.get(LIST).content.decode()
    assert client.get(ADD).status_code == 403
    assert client.post(ADD, fields).status_code == 403
    assert not Delegation.objects.exists()


# --- Seeing ---------------------------------------------------------------------------------


def test_everybody_sees_their_own_and_who_may_view_them_sees_all(
    login: Login, given: Delegation, senior: User, stand_in: User, make_user: Any
) -> None:
    stranger, auditor = make_user("stranger"), make_user("auditor", Role.AUDITOR)
    senior.groups.clear()
    User.objects.filter(pk=senior.pk).update(is_staff=True)

    assert shown(login(senior)) == [given]
    assert shown(login(stand_in)) == [given]
    assert shown(login(auditor)) == [given]
    assert shown(login(stranger)) == []
    assert login(stand_in).get(at("change", given)).status_code == 200
    assert login(stranger).get(at("change", given)).status_code == 302
    assert login(stranger).post(at("revoke", given)).status_code == 404


def test_state_is_upcoming_active_over_or_revoked(
    login: Login, given: Delegation, auditor: User, senior: User, stand_in: User
) -> None:
    now = timezone.now()
    for starts, ends, revoked in ((1, 2, None), (-9, -8, None), (-10, 1, -1)):
        Delegation.objects.create(
            delegator=senior,
            delegate=stand_in,
            created_by=senior,
            starts_at=now + starts * DAY,
            ends_at=now + ends * DAY,
            revoked_at=None if revoked is None else now + revoked * DAY,
        )

    html = login(auditor).get(LIST).content.decode()

    states = re.findall(r'class="badge tone-\w+">(\w+)<', html)
    assert states == ["Upcoming", "Active", "Over", "Revoked"]  # the latest first


def test_list_costs_the_same_however_many_there_are(
    login: Login,
    auditor: User,
    given: Delegation,
    make_user: Callable[..., User],
    django_assert_num_queries: Any,
) -> None:
    now = timezone.now()
    for number in range(8):
        delegator = make_user(f"manager{number}", Role.MANAGER)
        delegation_create(
            delegator=delegator,
            delegate=make_user(f"deputy{number}", Role.MANAGER),
            starts_at=now,
            ends_at=now + DAY,
            by=delegator,
        )
    client = login(auditor)

    # Session, user, two of permissions, the bell, a count, the rows.
    with django_assert_num_queries(7):
        assert len(client.get(LIST).context["cl"].result_list) == 9


# --- Revoking -------------------------------------------------------------------------------


def test_revoke_ends_it_once(login: Login, senior: User, given: Delegation) -> None:
    client = login(senior)
    assert "press-revoke" in client.get(at("change", given)).content.decode()
    assert "decides nothing for senior" in client.get(at("revoke", given)).content.decode()
    given.refresh_from_db()
    assert given.revoked_at is None

    client.post(at("revoke", given))

    given.refresh_from_db()
    assert given.revoked_at is not None
    first = given.revoked_at
    again = client.post(at("revoke", given))
    assert said(again)[-1] == "It is revoked."
    given.refresh_from_db()
    assert given.revoked_at == first
    assert "press-revoke" not in client.get(at("change", given)).content.decode()


def test_over_is_over_and_is_not_revoked(login: Login, senior: User, given: Delegation) -> None:
    Delegation.objects.update(starts_at=timezone.now() - 3 * DAY, ends_at=timezone.now() - DAY)
    client = login(senior)

    answer = client.post(at("revoke", given))

    assert said(answer) == ["It is over."]
    assert "press-revoke" not in client.get(at("change", given)).content.decode()
    given.refresh_from_db()
    assert given.revoked_at is None


def test_delegate_auditor_and_another_manager_do_not_revoke_it(
    login: Login,
    stand_in: User,
    auditor: User,
    make_user: Callable[..., User],
    given: Delegation,
) -> None:
    for user in (stand_in, auditor, make_user("manager2", Role.MANAGER)):
        client = login(user)
        assert "press-revoke" not in client.get(at("change", given)).content.decode()
        for answer in (client.get(at("revoke", given)), client.post(at("revoke", given))):
            assert answer.url == at("change", given)
            assert "You may" in said(answer)[-1]
    given.refresh_from_db()
    assert given.revoked_at is None


def test_nobody_changes_or_deletes_one(login: Login, root: User, given: Delegation) -> None:
    client = login(root)

    assert client.post(at("change", given), {"ends_at": ""}).status_code == 403
    assert client.post(at("delete", given), {"post": "yes"}).status_code == 403
    assert Delegation.objects.filter(pk=given.pk).exists()


# --- Deciding on somebody's behalf -----------------------------------------------------------


def test_delegate_decides_one_case_in_their_own_name(
    login: Login, stand_in: User, senior: User, given: Delegation, waiting: LoanApplication
) -> None:
    client = login(stand_in)
    assert "press-approve" in client.get(page("change", waiting)).content.decode()
    asked = client.get(decide_page(waiting, "approve")).content.decode()
    assert "You decide on behalf of <strong>senior</strong>" in asked

    client.post(decide_page(waiting, "approve"), {"version": waiting.version})

    decision = ReviewDecision.objects.get()
    assert (decision.decided_by, decision.on_behalf_of) == (stand_in, senior)
    html = client.get(page("change", waiting)).content.decode()
    assert "stand_in on behalf of senior, <time" in html
    LoanApplication.objects.update(status=Status.APPROVED)
    assert "Approved by stand_in on behalf of senior." in client.get(page("change", waiting)).text


def test_delegate_decides_in_bulk(
    login: Login, stand_in: User, given: Delegation, officer: User
) -> None:
    cases = [casework.waiting_for_manager(officer, loan_amount=300_000) for _ in range(2)]
    client = login(stand_in)
    assert "approve_selected" in client.get(CASES).content.decode()
    preview = client.post(
        CASES,
        {
            "action": "approve_selected",
            "index": "0",
            "_selected_action": [case.pk for case in cases],
        },
    )
    rows = [row.carried for row in preview.context["ready"]]
    assert len(rows) == 2

    client.post(f"{CASES}decide/approve/", {"row": rows})

    assert ReviewDecision.objects.filter(decided_by=stand_in, on_behalf_of__isnull=False).count()
    assert ReviewDecision.objects.count() == 2


@pytest.mark.parametrize("ended", ["revoked", "over", "inactive"])
def test_delegation_that_ended_opens_no_door(
    login: Login,
    stand_in: User,
    given: Delegation,
    waiting: LoanApplication,
    ended: str,
) -> None:
    now = timezone.now()
    if ended == "revoked":
        Delegation.objects.update(revoked_at=now)
    elif ended == "over":
        Delegation.objects.update(ends_at=now - timedelta(seconds=1))
    else:
        User.objects.filter(pk=given.delegator_id).update(is_active=False)
    client = login(stand_in)

    assert "press-approve" not in client.get(page("change", waiting)).content.decode()
    client.post(decide_page(waiting, "approve"), {"version": waiting.version})
    row = f"{waiting.pk}:{waiting.review_tasks.get().pk}:{waiting.version}"
    client.post(f"{CASES}decide/approve/", {"row": [row]})
    assert not ReviewDecision.objects.exists()


def test_my_approvals_of_a_delegate_are_what_was_handed_over(
    login: Login, stand_in: User, given: Delegation, waiting: LoanApplication
) -> None:
    address = reverse("admin:reviews_reviewtask_changelist") + "?mine=yes"

    mine = login(stand_in).get(address).context["cl"].result_list

    assert list(mine) == [waiting.review_tasks.get()]
