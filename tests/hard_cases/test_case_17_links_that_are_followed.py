"""Case 17: a link that is only followed changes nothing.

Every address that the project has is tried, so a page that is added later is tried too.
"""

import re
from collections.abc import Callable, Iterator
from itertools import batched, product
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
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
from partners.models import Partner
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import LIST, Login, decide_page, page
from tests.casework import ALICE
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import path
from tests.sizes import some
from workflows import handover, incidents
from workflows.models import Incident
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


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
            "kind": "fraud_unanswered",  # of incidents
            "app_label": "applications",
            "model_name": "loanapplication",
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
        application=waiting, kind=Document.Kind.OTHER, original_name="a.pdf", size=1, key="a"
    )
    document.content_type, document.sha256 = "application/pdf", "0" * 64
    document.file.save("a.pdf", ContentFile(files.PDF))
    return [waiting, draft, stuck, funded]


@pytest.mark.long
def test_get_and_head_of_every_address_in_the_office_change_nothing(
    login: Login,
    office_full_of_cases: list[LoanApplication],
    partner_key: str,
    make_user: Callable[..., User],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A session notes each minute that it is in use, and a slow machine needs longer than that.
    monkeypatch.setattr("accounts.middleware.RESOLUTION", float("inf"))
    client = login(make_user("root", *Role, is_superuser=True))
    waiting, _, stuck, _ = office_full_of_cases
    # The pages that ask before something is done, and what there is to read.
    drawn = (
        decide_page(waiting, "approve"),
        decide_page(waiting, "decline"),
        page("withdraw", waiting),
        page("restart", stuck),
        page("live", waiting),
        page("change", waiting),
        page("document", waiting, waiting.documents.get().pk),
        page("preview", waiting, waiting.documents.get().pk),
        path(waiting.reference),
        path(waiting.reference, "events/"),
        LIST,
    )
    acts = [path(waiting.reference, name) for name in ("withdraw/", "decision/")]
    every = list(Addresses(office_full_of_cases))
    assert {*drawn, *acts} <= {*every}
    addresses = list(dict.fromkeys([*some(every, of=5), *drawn, *acts]))
    head = set(some(addresses, of=2))
    before = everything_stored()

    statuses = {}
    for batch in batched(addresses, 60, strict=False):
        for address, call in product(batch, (client.get, client.head)):
            if call == client.head and address not in head:
                continue
            answer = call(address)
            b"".join(answer.streaming_content) if answer.streaming else answer.content
            statuses[address] = answer.status_code
            assert answer.status_code < 500 or address == "/health/ready/", address
        assert everything_stored() == before, batch

    for address in drawn:
        assert statuses[address] == 200, address
    for address in acts:
        assert statuses[address] == 405, address


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
            if address.startswith("/admin/account/invitation/"):
                assert status in {405, 410}, address  # for who has a link; this one is none
            elif address.startswith("/admin/") and "/login/" not in address:
                assert status in {302, 405}, address
    assert everything_stored() == before


def test_links_in_letters_are_followed_and_nothing_is_decided(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    casework.letters_at_once()
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
