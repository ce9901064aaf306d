"""``docs/roles.md`` says what each role can really do; a superuser without a role only administers.

``make roles`` writes the page. The other tests here read it, and so hold for what it was made of.
"""

import os
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth.models import User

from accounts.roles import Role
from reviews.kinds import REVIEW_KINDS
from tests.audit.scenarios.table import CHANGES
from tests.role_table import (
    ADMIN,
    DOCUMENT,
    OWN_ACCOUNT,
    PARTNER,
    PEOPLE,
    PROPOSALS,
    SUPERUSER,
    api_calls,
    document,
    person_make,
    staff_changes,
    tables,
    title_of,
)
from tests.sizes import LONG

WRITE = "LOANOFFICE_ROLES"  # an environment variable: write the page instead of comparing it
# The pages on which a superuser without a role changes something.
ADMINISTERED = {
    "Delegations",
    "Failed sign-ins",
    "Groups",
    "Groups that need a second factor",
    "Second factors",
    "Users",
}


@pytest.mark.long
@pytest.mark.django_db
def test_page_says_what_each_role_can_do(
    make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = {
        name: person_make(make_user, name, f"person{number}") for number, name in enumerate(PEOPLE)
    }

    whole = LONG or WRITE in os.environ
    text = document(
        lambda desk, name: desk(make_user, monkeypatch, name=name),
        people,
        written=None if whole else tables()["Changes"],
    )

    if WRITE in os.environ:
        DOCUMENT.write_text(text)
    assert DOCUMENT.read_text() == text, "run `make roles`"


def test_superuser_without_a_role_administers_and_does_nothing_else() -> None:
    found = tables()
    done = {label for label, row in found["Changes"].items() if row[SUPERUSER]}
    allowed = {
        label
        for label, row in found["Pages"].items()
        if set(row[SUPERUSER].split(", ")) & {"add", "change", "delete"}
    }

    assert {label.partition(":")[0] for label in done} == ADMINISTERED
    assert allowed <= ADMINISTERED
    assert not any(row[SUPERUSER] for row in found["API"].values())
    selected = {label for label, row in found["Actions in lists"].items() if row[SUPERUSER]}
    assert {label.partition(":")[0] for label in selected} <= ADMINISTERED
    proposed = {label for label, row in found["Proposals"].items() if row[SUPERUSER]}
    assert proposed == {"Role grant", "Hand over the tasks of somebody else"}


def test_no_role_does_what_a_superuser_does_but_delegate() -> None:
    found = tables()
    roles = [role.value for role in Role]
    for label, row in found["Changes"].items():
        if row[SUPERUSER] and not label.startswith("Delegations:"):
            assert not any(row[role] for role in roles), label
    assert not any(found["Proposals"]["Role grant"][role] for role in roles)


def test_every_change_is_made_by_somebody_and_each_role_makes_some() -> None:
    found = tables()
    for title in ("Changes", "Proposals", "API"):
        for label, row in found[title].items():
            assert any(row.values()), label
    for name in PEOPLE:
        assert any(row[name] for row in found["Changes"].values()), name


def test_page_has_every_admin_every_change_and_every_call() -> None:
    found = tables()

    assert set(found["Pages"]) == {title_of(model) for model in admin.site._registry}
    left_out = (*OWN_ACCOUNT, PROPOSALS)
    wanted = [name for name in CHANGES if name.startswith(ADMIN) and not name.startswith(left_out)]
    assert len(staff_changes()) == len(wanted)
    assert len(found["Changes"]) == len(wanted) - 1 + len(REVIEW_KINDS)
    assert set(found["API"]) == {f"`{call}`" for call, _ in api_calls()}
    assert {f"`{access.scope}`" for _, access in api_calls() if access.scope} == {
        row[PARTNER] for row in found["API"].values() if row[PARTNER]
    }
