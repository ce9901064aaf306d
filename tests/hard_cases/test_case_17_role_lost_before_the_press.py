"""Case 17: the role is lost between opening a page and pressing its button.

Refused means that not one row of any table differs afterwards.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from accounts.roles import Role
from applications.models import LoanApplication
from lending.choices import Outcome
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue
from reviews.services import claims
from reviews.services.bulk_decisions import Read, bulk_begin
from tests import casework
from tests.applications.admin.conftest import LIST, Login, decide_page, page, said
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import path
from tests.sizes import some
from workflows import handover

pytestmark = pytest.mark.django_db


def leaves_every_group(user: User) -> None:
    user.groups.clear()


def becomes_an_auditor(user: User) -> None:
    user.groups.set(Group.objects.filter(name=Role.AUDITOR.value))


def role_loses_its_rights(user: User) -> None:
    for group in user.groups.all():
        group.permissions.set(group.permissions.filter(codename__startswith="view_"))


def is_staff_no_more(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=False)


def is_deactivated(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


LOSSES = (
    leaves_every_group,
    becomes_an_auditor,
    role_loses_its_rights,
    is_staff_no_more,
    is_deactivated,
)
every_loss = pytest.mark.parametrize("lose", some(LOSSES, of=4), ids=lambda lose: lose.__name__)


def assert_refused_in_the_office(answer: Any) -> None:
    """Forbidden, sent to the log-in, or back to the case with the reason."""
    if answer.status_code == 302 and not answer.url.startswith("/admin/login/"):
        [sentence] = said(answer)
        assert sentence.startswith(("You may not", "Only Operations")), sentence
    else:
        assert answer.status_code in {302, 403}


@pytest.mark.long
@every_loss
@pytest.mark.parametrize("outcome", ["approve", "decline"])
def test_decision_in_the_office_is_refused(
    login: Login,
    waiting: LoanApplication,
    manager: User,
    lose: Callable[[User], None],
    outcome: str,
) -> None:
    client = login(manager)
    opened = client.get(decide_page(waiting, outcome))
    typed = {"version": opened.context["form"]["version"].value(), "reason": "Because."}
    lose(manager)
    before = everything_stored()

    answer = client.post(decide_page(waiting, outcome), typed)

    assert_refused_in_the_office(answer)
    assert everything_stored() == before


@pytest.mark.long
@every_loss
@pytest.mark.parametrize("what", ["claim", "take-over", "release"])
def test_claim_in_the_office_is_refused(
    login: Login,
    waiting: LoanApplication,
    senior: User,
    manager: User,
    lose: Callable[[User], None],
    what: str,
) -> None:
    client = login(senior)
    task = waiting.review_tasks.get()
    if what != "claim":
        claims.task_claim(task=task, user=manager)
    offered = client.get(page("change", waiting)).content.decode()
    assert ('id="press-claim"' if what == "claim" else 'id="press-take-over"') in offered
    lose(senior)
    before = everything_stored()

    answer = client.post(page(what, waiting, task.pk))

    assert answer.status_code == 403 or answer.url.startswith("/admin/login/")
    assert everything_stored() == before


@pytest.mark.long
@every_loss
def test_bulk_run_is_not_gone_on_with(
    login: Login, waiting: LoanApplication, manager: User, lose: Callable[[User], None]
) -> None:
    client = login(manager)
    rows = [Read(waiting.pk, waiting.review_tasks.get().pk, waiting.version)]
    run = bulk_begin(user=manager, token=uuid4(), outcome=Outcome.APPROVE, rows=rows)
    assert run is not None
    address = f"/admin/reviews/bulkdecision/{run.pk}/change/"
    assert 'id="press-go-on"' in client.get(address).content.decode()
    lose(manager)
    before = everything_stored()

    answer = client.post(f"{LIST}go-on/{run.pk}/")

    assert answer.status_code == 403 or answer.url.startswith("/admin/login/")
    assert everything_stored() == before


@pytest.mark.long
@every_loss
def test_bulk_decision_is_refused(
    login: Login, waiting: LoanApplication, manager: User, lose: Callable[[User], None]
) -> None:
    client = login(manager)
    preview = client.post(
        LIST, {"action": "approve_selected", "index": "0", "_selected_action": [waiting.pk]}
    )
    rows = [row.carried for row in preview.context["ready"]]
    assert len(rows) == 1
    lose(manager)
    before = everything_stored()

    answer = client.post(f"{LIST}decide/approve/", {"row": rows})

    assert answer.status_code == 403 or answer.url.startswith("/admin/login/")
    assert everything_stored() == before


@pytest.mark.long
@every_loss
def test_decision_by_the_api_is_refused(
    login: Login, waiting: LoanApplication, manager: User, lose: Callable[[User], None]
) -> None:
    client = login(manager)
    version = client.get(path(waiting.reference)).json()["version"]
    lose(manager)
    before = everything_stored()

    answer = client.post(
        path(waiting.reference, "decision/"),
        {"approved": True, "version": version},
        content_type="application/json",
    )

    assert answer.status_code == (401 if lose is is_deactivated else 403)
    assert answer["Content-Type"] == "application/problem+json"
    assert everything_stored() == before


@pytest.mark.long
@every_loss
def test_withdrawal_is_refused(
    login: Login, waiting: LoanApplication, officer: User, lose: Callable[[User], None]
) -> None:
    client = login(officer)
    assert client.get(page("withdraw", waiting)).status_code == 200
    lose(officer)
    before = everything_stored()

    assert_refused_in_the_office(client.post(page("withdraw", waiting), {"reason": "x"}))
    assert everything_stored() == before


@pytest.mark.long
@every_loss
def test_restart_is_refused(
    login: Login, waiting: LoanApplication, operations: User, lose: Callable[[User], None]
) -> None:
    handover.needs_attention(casework.run_of(waiting), sentence="Stuck.")
    client = login(operations)
    assert client.get(page("restart", waiting)).status_code == 200
    lose(operations)
    before = everything_stored()

    assert_refused_in_the_office(client.post(page("restart", waiting), {"reason": "x"}))
    assert everything_stored() == before


@pytest.mark.parametrize("lost", ["key revoked", "scope taken", "partner inactive"])
def test_partner_whose_key_was_taken_away_withdraws_nothing(partner: Partner, lost: str) -> None:
    application = casework.waiting_for_manager(None, partner=partner)
    row, key = partner_key_issue(partner=partner)
    client = Client(headers={"Authorization": f"Bearer {key}"})
    assert client.get(path(application.reference)).status_code == 200
    if lost == "key revoked":
        PartnerKey.objects.filter(pk=row.pk).update(revoked_at=row.created_at)
    elif lost == "scope taken":
        PartnerKey.objects.filter(pk=row.pk).update(scopes=["applications:read"])
    else:
        Partner.objects.filter(pk=partner.pk).update(is_active=False)
    before = everything_stored()

    answer = client.post(
        path(application.reference, "withdraw/"), {}, content_type="application/json"
    )

    assert answer.status_code == (403 if lost == "scope taken" else 401)
    assert everything_stored() == before
