"""The catalogue of reasons to decline: who keeps it, and how it is chosen from."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from accounts.roles import Role
from applications.models import LoanApplication
from reviews.models import DeclineReason, ReviewDecision
from tests.applications.admin.conftest import Login, decide_page, page

REASONS = "/admin/reviews/declinereason/"


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    return make_user("owner", Role.POLICY_OWNER)


def typed(**changes: object) -> dict[str, object]:
    return {
        "code": "RESIDENCE_NOT_VERIFIED",
        "text": "We could not verify where you live.",
        "kinds": ["manager_approval"],
        "position": "15",
        "active": "on",
        **changes,
    }


def test_policy_owner_adds_rewords_and_retires_but_never_deletes_or_renames(
    login: Login, owner: User, make_user: Callable[..., User]
) -> None:
    client = login(owner)
    assert client.post(f"{REASONS}add/", typed()).status_code == 302
    reason = DeclineReason.objects.get(code="RESIDENCE_NOT_VERIFIED")

    client.post(
        f"{REASONS}{reason.pk}/change/", typed(code="OTHER_CODE", text="Say it anew.", active="")
    )

    reason.refresh_from_db()
    assert (reason.code, reason.text, reason.active) == (
        "RESIDENCE_NOT_VERIFIED",
        "Say it anew.",
        False,
    )
    assert '<span class="badge tone-quiet">Retired</span>' in client.get(REASONS).content.decode()
    root = make_user("root", *Role, is_superuser=True)
    assert login(root).post(f"{REASONS}{reason.pk}/delete/", {"post": "yes"}).status_code == 403
    assert DeclineReason.objects.filter(pk=reason.pk).exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "lower"}, "code"),
        ({"code": "OTHER"}, "code"),
        ({"text": ""}, "text"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["no_such_kind"]}, "kinds"),
    ],
)
def test_reason_that_makes_no_sense_is_refused(
    login: Login, owner: User, changes: dict[str, object], field: str
) -> None:
    before = DeclineReason.objects.count()

    answer = login(owner).post(f"{REASONS}add/", typed(**changes))

    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert DeclineReason.objects.count() == before


def test_others_read_the_catalogue_and_change_nothing(
    login: Login, make_user: Callable[..., User]
) -> None:
    reason = DeclineReason.objects.first()
    assert reason is not None
    for role in Role:
        if role == Role.POLICY_OWNER:
            continue
        client = login(make_user(role.name.lower(), role))
        assert client.get(REASONS).status_code == 200
        assert client.get(reverse("admin:reviews_declinereason_add")).status_code == 403
        answer = client.post(f"{REASONS}{reason.pk}/change/", typed(code=reason.code))
        assert answer.status_code == 403
    reason.refresh_from_db()
    assert reason.text == "We could not verify your income."


def test_decline_is_chosen_from_the_catalogue_and_shown_on_the_case(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    html = client.get(decide_page(waiting, "decline")).content.decode()
    assert '<option value="INCOME_NOT_VERIFIED">We could not verify your income.</option>' in html
    assert "FRAUD_CONFIRMED" not in html

    client.post(
        decide_page(waiting, "decline"),
        {"version": 1, "reason_code": "INCOME_NOT_VERIFIED", "reason": ""},
    )

    assert ReviewDecision.objects.get().reason == "We could not verify your income."
    assert (
        "We could not verify your income." in client.get(page("change", waiting)).content.decode()
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reason_code": "", "reason": "Words."}, "reason_code"),
        ({"reason_code": "FRAUD_CONFIRMED", "reason": "Words."}, "reason_code"),
        ({"reason_code": "OTHER", "reason": " "}, "reason"),
    ],
)
def test_decline_without_a_fitting_reason_is_asked_for_one(
    login: Login, waiting: LoanApplication, manager: User, given: dict[str, str], field: str
) -> None:
    answer = login(manager).post(decide_page(waiting, "decline"), {"version": 1, **given})

    assert answer.status_code == 200
    assert answer.context["form"].errors[field]
    assert not ReviewDecision.objects.exists()


def test_reason_retired_while_the_page_was_open_is_refused(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    client.get(decide_page(waiting, "decline"))
    DeclineReason.objects.filter(code="DEBT_TOO_HIGH").update(active=False)

    answer = client.post(
        decide_page(waiting, "decline"), {"version": 1, "reason_code": "DEBT_TOO_HIGH"}
    )

    assert answer.context["form"].errors["reason_code"]
    assert not ReviewDecision.objects.exists()


def test_with_an_empty_catalogue_own_words_are_enough_and_needed(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    DeclineReason.objects.update(active=False)
    client = login(manager)
    assert "reason_code" not in client.get(decide_page(waiting, "decline")).context["form"].fields

    refused = client.post(decide_page(waiting, "decline"), {"version": 1, "reason": ""})
    assert refused.context["form"].errors["reason"]
    client.post(decide_page(waiting, "decline"), {"version": 1, "reason": "Because."})

    assert ReviewDecision.objects.get().reason == "Because."
