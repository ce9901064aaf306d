"""Case 17: the role is lost between opening a page and pressing; a link is only followed.

Refused means that not one row of any table differs afterwards. Every address that the
project has is tried, so a page that is added later is tried too.
"""

import re
from collections.abc import Callable, Iterator
from itertools import batched, product
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.files.base import ContentFile
from django.db.models import Model
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import RoutePattern, URLPattern, URLResolver

from accounts.roles import Role
from applications.api.document_links import SIGNER
from applications.models import Document, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue
from reviews.services import claims
from reviews.services.bulk_decisions import Read, bulk_begin
from tests import casework
from tests.applications.admin.conftest import LIST, Login, decide_page, page, said
from tests.conftest import ALICE
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import path
from workflows import handover, incidents
from workflows.models import Incident
from workflows.outbox import queue

pytestmark = pytest.mark.django_db

# --- The role is lost ---------------------------------------------------------------------


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
every_loss = pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)


@pytest.fixture
def waiting(officer: User) -> LoanApplication:
    return casework.waiting_for_manager(officer)


def assert_refused_in_the_office(answer: Any) -> None:
    """Forbidden, sent to the log-in, or back to the case with the reason."""
    if answer.status_code == 302 and not answer.url.startswith("/admin/login/"):
        [sentence] = said(answer)
        assert sentence.startswith(("You may not", "Only Operations")), sentence
    else:
        assert answer.status_code in {302, 403}


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


# --- A link is only followed --------------------------------------------------------------


class Addresses:
    """Every address of the project, filled in for the rows that are there."""

    def __init__(self, applications: list[LoanApplication]) -> None:
        self.applications = applications

    def __iter__(self) -> Iterator[str]:
        for route in self.routes(get_resolver().url_patterns):
            yield from self.filled(route)
        yield from ("/admin/applications/", "/admin/workflows/", "/admin/auth/")

    def routes(self, patterns: list[Any], prefix: str = "/") -> Iterator[str]:
        for pattern in patterns:
            if not isinstance(pattern.pattern, RoutePattern):
                continue  # the admin's lists of apps, and what is no address at all
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from self.routes(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern):
                yield route

    def filled(self, route: str) -> Iterator[str]:
        names = [name for _, name in re.findall(r"<(?:(\w+):)?(\w+)>", route)]
        about_a_case = "/loanapplication/" in route or "reference" in names
        for application in self.applications if about_a_case else self.applications[:1]:
            for outcome in ("approve", "decline") if "outcome" in names else ("",):
                address = route
                for name in names:
                    value = outcome if name == "outcome" else self.value(name, route, application)
                    address = re.sub(rf"<(\w+:)?{name}>", str(value), address)
                yield address

    def value(self, name: str, route: str, application: LoanApplication) -> object:
        fixed: dict[str, object] = {
            "reference": application.reference,
            "content_type_id": 1,
            # As the list of documents signs it.
            "token": SIGNER.sign(f"{application.reference}.offer_letter.1"),
        }
        if name in fixed:
            return fixed[name]
        if name in {"pk", "id", "object_id"}:
            _, _, label, model_name, *_ = [*route.split("/"), "", ""]
            if model_name == "loanapplication":
                return application.pk
            if label not in {
                "partners",
                "lending",
                "applications",
                "reviews",
                "workflows",
                "webhooks",
                "auth",
            }:
                return 1
            return self.first(apps.get_model(label, model_name), application)
        kind = name.removesuffix("_pk").removesuffix("_id")
        models = [model for model in apps.get_models() if kind in model._meta.model_name.lower()]
        assert models, f"say here what <{name}> of {route} stands for"
        return self.first(models[0], application)

    @staticmethod
    def first(model: type[Model], application: LoanApplication) -> object:
        """The key of a row of this application, or of any, or one that is not there."""
        rows = model._base_manager.order_by("pk")
        if any(field.name == "application" for field in model._meta.get_fields()):
            rows = rows.filter(application=application) or rows
        row = rows.first()
        return row.pk if row is not None else 1


@pytest.fixture
def office_full_of_cases(officer: User, waiting: LoanApplication) -> list[LoanApplication]:
    """A case of each kind that some page may do something about."""
    draft = intake.application_create(user=officer, **ALICE)
    stuck = casework.submit(officer, loan_amount=20_000)
    casework.assess(stuck)
    handover.needs_attention(casework.run_of(stuck), sentence="Stuck.")
    incidents.incident_open(
        kind=Incident.Kind.WORKFLOW_FAILED, key="k", application=stuck, sentence="Stuck."
    )
    funded = casework.funded(officer)
    document = Document(
        application=waiting, kind=Document.Kind.OTHER, original_name="a.txt", size=1, key="a"
    )
    document.content_type, document.sha256 = "text/plain", "0" * 64
    document.file.save("a.txt", ContentFile(b"a"))
    return [waiting, draft, stuck, funded]


def test_get_and_head_of_every_address_in_the_office_change_nothing(
    login: Login,
    office_full_of_cases: list[LoanApplication],
    partner_key: str,
    make_user: Callable[..., User],
) -> None:
    client = login(make_user("root", *Role, is_superuser=True))
    waiting, _, stuck, _ = office_full_of_cases
    addresses = list(Addresses(office_full_of_cases))
    before = everything_stored()

    statuses = {}
    for some in batched(addresses, 20, strict=False):
        for address, call in product(some, (client.get, client.head)):
            answer = call(address)
            b"".join(answer.streaming_content) if answer.streaming else answer.content
            statuses[address] = answer.status_code
            assert answer.status_code < 500 or address == "/health/ready/", address
        assert everything_stored() == before, some

    # The pages that ask before something is done were really drawn.
    for address in (
        decide_page(waiting, "approve"),
        decide_page(waiting, "decline"),
        page("withdraw", waiting),
        page("restart", stuck),
        page("live", waiting),
        page("change", waiting),
        page("document", waiting, waiting.documents.get().pk),
        path(waiting.reference),
        path(waiting.reference, "events/"),
        LIST,
    ):
        assert statuses[address] == 200, address
    assert statuses[path(waiting.reference, "withdraw/")] == 405
    assert statuses[path(waiting.reference, "decision/")] == 405


def test_get_and_head_of_every_address_by_a_partner_change_nothing(
    office_full_of_cases: list[LoanApplication], partner: Partner, partner_key: str
) -> None:
    LoanApplication.objects.update(partner=partner)
    client = Client(headers={"Authorization": f"Bearer {partner_key}"})
    before = everything_stored()

    for address in Addresses(office_full_of_cases):
        for call in (client.get, client.head):
            status = call(address).status_code
            assert status < 500 or address == "/health/ready/", address
            if address.startswith("/admin/") and "/login/" not in address:
                assert status in {302, 405}, address
    assert everything_stored() == before


def test_links_in_letters_are_followed_and_nothing_is_decided(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    queue.send_due()
    links = re.findall(r"https?://[^/\s]+(/\S+)", mail.outbox[0].body)
    assert links == [page("change", waiting)]
    clients = (Client(), login(manager))
    before = everything_stored()

    for client in clients:
        for link in links:
            client.get(link, follow=True)
            client.head(link, follow=True)

    assert everything_stored() == before


def test_link_with_a_decision_in_its_query_decides_nothing(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    row = f"{waiting.pk}:{waiting.review_tasks.get().pk}:1"
    before = everything_stored()

    client.get(decide_page(waiting, "approve"), {"version": "1", "reason": "x"})
    client.get(f"{LIST}decide/approve/", {"row": row})
    client.get(LIST, {"action": "approve_selected", "index": "0", "_selected_action": waiting.pk})
    client.get(path(waiting.reference, "decision/"), {"approved": "true"})

    assert everything_stored() == before
