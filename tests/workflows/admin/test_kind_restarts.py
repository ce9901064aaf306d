"""After an outage Operations restart all incidents of a kind: preview, then restart, once."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role
from applications.choices import Status
from applications.models import ApplicationEvent, Disbursement, LoanApplication
from audit.models import Action, AuditEntry
from tests import casework
from tests.applications.admin.conftest import Login, said
from tests.sent_forms import AGAIN, browser, open_form
from tests.sizes import size
from tests.workflows import trouble
from workflows import kind_restarts, operations
from workflows.errors import ProviderError
from workflows.models import Execution, Incident, OutboxMessage
from workflows.providers import registry
from workflows.providers.interfaces import Payment, PaymentState

LIST = "/admin/workflows/incident/"
FRAUD = Incident.Kind.FRAUD_UNANSWERED
REASON = {"reason": "The fraud vendor is back."}
# Of each application: locks, reads and writes of a restart.
STATEMENTS = 13
OUTAGE = size(short=10, long=50)


def address(kind: str = FRAUD) -> str:
    return reverse("admin:workflows_incident_restart_kind", args=[kind])


def rows_of(page: Any) -> list[str]:
    """The keys of the ticked rows of a preview."""
    return re.findall(r'name="row" value="(\d+)" checked', page.content.decode())


def attempts() -> list[tuple[str, int]]:
    return list(LoanApplication.objects.order_by("pk").values_list("status", "attempt"))


class Statements:
    """Counts the statements of a connection; its own log keeps the last ones only."""

    number = 0

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        self.number += 1
        return execute(*args)


# --- The story --------------------------------------------------------------------------------


@pytest.mark.long
def test_cases_of_an_outage_are_restarted_in_four_page_loads(
    login: Login, officer: User, operations: User
) -> None:
    trouble.outage(officer, OUTAGE)
    client = login(operations)
    loads = 0

    def load(where: str) -> Any:
        nonlocal loads
        loads += 1
        answer = client.get(where)
        assert answer.status_code == 200
        return answer

    load("/admin/")
    listed = load(LIST).content.decode()
    assert f'<a href="{address()}">Fraud check not answered ({OUTAGE})</a>' in listed
    preview = load(address())
    html = preview.content.decode()
    assert f"{OUTAGE} can be restarted" in html
    assert attempts() == [(Status.NEEDS_ATTENTION, 1)] * OUTAGE, "the preview changes nothing"
    statements = Statements()
    with connection.execute_wrapper(statements):
        answer = client.post(address(), {"row": rows_of(preview), **REASON})
    assert answer.url == LIST
    result = load(answer.url).content.decode()

    assert loads == 4
    assert f'class="success">{OUTAGE} applications are restarted.' in result
    assert "Nothing is stuck: no incident is open." in result
    assert "restart-kinds" not in result
    assert attempts() == [(Status.SUBMITTED, 2)] * OUTAGE
    assert not Incident.objects.exclude(status=Incident.Status.RESOLVED).exists()
    assert Incident.objects.filter(resolved_by=operations, note="Restarted.").count() == OUTAGE
    starts = OutboxMessage.objects.filter(kind=OutboxMessage.Kind.START_EXECUTION)
    assert starts.filter(key__endswith="-2").count() == OUTAGE
    restarted = ApplicationEvent.objects.filter(kind="restarted", actor=operations)
    assert restarted.filter(message__contains=REASON["reason"]).count() == OUTAGE
    one = AuditEntry.objects.get(
        action=Action.OPERATED, message__startswith="Restarted the applications"
    )
    assert (one.actor, len(one.details["restarted"])) == (operations, OUTAGE)
    assert (one.details["kind"], one.details["left_alone"]) == (FRAUD, {})
    assert statements.number <= OUTAGE * STATEMENTS + 40, statements.number


def test_preview_reads_as_much_for_one_as_for_many(
    login: Login, officer: User, operations: User
) -> None:
    client = login(operations)
    sizes = []

    for number in (1, 20):
        trouble.outage(officer, number)
        client.get(address())
        with CaptureQueriesContext(connection) as asked:
            client.get(address())
        sizes.append(len(asked))

    assert sizes[0] == sizes[1] <= 14, sizes


# --- What is left alone -----------------------------------------------------------------------


@pytest.mark.usefixtures("decider")
def test_preview_names_what_is_left_alone_and_why_and_restarts_only_what_is_ticked(
    login: Login, officer: User, operations: User
) -> None:
    kept, ticked, third = trouble.outage(officer, 3)
    goes_on = casework.waiting_for_manager(officer)
    unknown = trouble.payout_unknown(officer).application
    for number, case in enumerate((goes_on, unknown)):
        Incident.objects.create(
            kind=FRAUD, key=f"made/{number}", application=case, sentence="It did not answer."
        )
    client = login(operations)

    preview = client.get(address())
    html = preview.content.decode()
    rows = [str(Incident.objects.get(application=each, kind=FRAUD).pk) for each in (ticked, third)]
    # A row that cannot be restarted, and one of another kind, are sent all the same.
    other = [
        str(Incident.objects.get(application=goes_on).pk),
        str(Incident.objects.get(application=unknown, kind=Incident.Kind.PAYOUT_UNKNOWN).pk),
        "x",
        "9" * 40,
    ]
    operations_of_one(third, operations)
    answer = client.post(address(), {"row": [*rows, *other], **REASON})

    assert len(rows_of(preview)) == 3
    assert "2 cannot be restarted, and will be left alone" in html
    assert f"{goes_on.reference} is pending approval" in html
    assert f"Nobody knows whether {unknown.reference} was paid" in html
    first, second = said(answer)
    assert first == "1 application is restarted."
    assert "2 left alone" in second
    assert f"{third.reference}: Its incident is resolved by now." in second
    assert f"{goes_on.reference}: {goes_on.reference} is pending approval" in second
    for case, attempt in ((kept, 1), (ticked, 2), (third, 2), (goes_on, 1), (unknown, 1)):
        case.refresh_from_db()
        assert case.attempt == attempt, case


def operations_of_one(case: LoanApplication, user: User) -> None:
    """Somebody restarts one of them between the preview and the button."""
    operations.application_restart(reference=case.reference, user=user)


class Rail:
    """A rail that has one of the payouts and refuses to speak of another."""

    def __init__(self, paid: str = "", down: str = "") -> None:
        self.paid, self.down = paid, down
        self.asked: list[str] = []

    def find(self, *, idempotency_key: str) -> Payment | None:
        self.asked.append(idempotency_key)
        if idempotency_key == self.down:
            raise ProviderError("no route to host")
        if idempotency_key == self.paid:
            return Payment(PaymentState.SETTLED, "PAY-1")
        return None


def test_payouts_are_asked_for_first_what_was_paid_is_funded_and_a_rail_that_is_down_stops_it(
    login: Login, officer: User, operations: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [trouble.payout_unknown(officer).application for _ in range(4)]
    # As the workflow failed beside a payout that had been requested.
    Disbursement.objects.update(status=Disbursement.Status.REQUESTED)
    Incident.objects.update(kind=Incident.Kind.WORKFLOW_FAILED)
    keys = [Disbursement.objects.get(application=case).order_keys[-1] for case in cases]
    rail = Rail(paid=keys[1], down=keys[2])
    monkeypatch.setattr(registry, "payout_rail", lambda: rail)
    client = login(operations)
    where = address(Incident.Kind.WORKFLOW_FAILED)

    preview = client.get(where)
    assert "of 4 the payout rail is asked first" in preview.content.decode()
    assert rail.asked == []
    answer = client.post(where, {"row": rows_of(preview), **REASON})

    assert rail.asked == keys[:3]
    first, second, third = said(answer)
    assert first == "1 application is restarted."
    assert second == "1 application is funded: the rail had paid."
    assert f"{cases[2].reference}: " in third
    assert "no route to host" in third
    assert f"{cases[3].reference}: {kind_restarts.NOT_ASKED}" in third
    found = dict(LoanApplication.objects.values_list("pk", "status"))
    assert [found[case.pk] for case in cases] == [
        Status.SUBMITTED,
        Status.FUNDED,
        Status.NEEDS_ATTENTION,
        Status.NEEDS_ATTENTION,
    ]


# --- Once, and only Operations ------------------------------------------------------------------


def test_form_sent_again_restarts_nothing_and_says_what_it_did(
    officer: User, operations: User
) -> None:
    trouble.outage(officer, 2)
    client = browser(operations)
    rows = list(Incident.objects.values_list("pk", flat=True))
    typed = open_form(client, address(), {"row": rows, **REASON})
    client.post(address(), typed)
    before = (attempts(), OutboxMessage.objects.count(), AuditEntry.objects.count())

    again = client.post(address(), typed)

    assert AGAIN in said(again)
    assert "2 applications are restarted." in said(again)
    assert (attempts(), OutboxMessage.objects.count(), AuditEntry.objects.count()) == before


def test_more_than_one_page_takes_the_oldest_and_says_that_there_are_more(
    login: Login, officer: User, operations: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind_restarts, "MOST", 2)
    trouble.outage(officer, 3)
    client = login(operations)

    preview = client.get(address())

    oldest = Incident.objects.order_by("opened_at", "pk").values_list("pk", flat=True)[:2]
    assert rows_of(preview) == [str(pk) for pk in oldest]
    assert "There are 3 unresolved incidents of this kind." in preview.content.decode()
    everything = list(Incident.objects.values_list("pk", flat=True))
    client.post(address(), {"row": everything, **REASON})
    assert sorted(attempt for _, attempt in attempts()) == [1, 2, 2]


def test_only_operations_see_the_page_and_nothing_ticked_restarts_nothing(
    login: Login, onlookers: dict[str, User], make_user: Callable[..., User], operations: User
) -> None:
    trouble.outage(onlookers["officer"], 2)
    row = {"row": [Incident.objects.latest("pk").pk], **REASON}
    before = (attempts(), Execution.objects.count())

    for user in onlookers.values():
        client = login(user)
        assert "restart-kinds" not in client.get(LIST).content.decode()
        for answer in (client.get(address()), client.post(address(), row)):
            assert (answer.status_code, answer.url) == (302, LIST)
            assert said(answer)[-1] == "Only Operations restarts an application."
    assert login(make_user("nobody")).post(address(), row).status_code == 403
    assert Client().post(address(), row).status_code == 302
    client = login(operations)
    assert client.get(address("no_such_kind")).status_code == 404
    nothing = client.post(address(), REASON)
    assert "Nothing was ticked." in nothing.content.decode()
    empty = client.get(address(Incident.Kind.STOPPED)).content.decode()
    assert "No incident of this kind is unresolved." in empty
    assert "press-restart-kind" not in empty
    assert (attempts(), Execution.objects.count()) == before
    assert Role.OPERATIONS in operations.groups.values_list("name", flat=True)
