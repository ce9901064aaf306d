"""The Incidents list and the page of one: what they say, who presses what, what they cost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from applications.choices import Status
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from tests import casework
from tests.applications.admin.conftest import Login, page, said
from tests.permissions import permit
from tests.workflows import trouble
from workflows import incidents
from workflows import operations as ops
from workflows.models import Incident, OutboxMessage

LIST = "/admin/workflows/incident/"
NOTE = {"note": "The service answered by telephone."}


def at(name: str, incident: Incident) -> str:
    return reverse(f"admin:workflows_incident_{name}", args=[incident.pk])


def buttons(client: Client, incident: Incident) -> list[str]:
    return [button.key for button in client.get(at("change", incident)).context["shown"].buttons()]


def kept() -> list[Any]:
    """Return all rows that working on an incident may write."""
    return [
        list(Incident.objects.order_by("pk").values()),
        list(OutboxMessage.objects.order_by("pk").values()),
        list(LoanApplication.objects.order_by("pk").values("status", "attempt", "version")),
        ApplicationEvent.objects.count(),
    ]


@pytest.fixture
def stuck(officer: User) -> Incident:
    return trouble.stuck(officer)


@pytest.fixture
def contradiction(officer: User) -> Incident:
    """An incident of a case that goes on all the same."""
    application = casework.waiting_for_manager(officer)
    incidents.incident_open(
        kind=Incident.Kind.CONTRADICTION,
        key="contradiction/1",
        application=application,
        sentence="It was answered twice and differently. The first answer stands.",
    )
    return Incident.objects.get()


# --- The list -------------------------------------------------------------------------------


def test_open_ones_stand_first_then_acknowledged_then_resolved_the_newest_first(
    login: Login, officer: User, auditor: User, operations: User
) -> None:
    made = [trouble.stuck(officer) for _ in range(6)]
    now = timezone.now()
    for number, incident in enumerate(made):
        Incident.objects.filter(pk=incident.pk).update(opened_at=now - timedelta(hours=number + 1))
    for number in (0, 3):
        incidents.incident_acknowledge(incident=made[number], user=operations)
    for number in (1, 4):
        ops.application_restart(reference=made[number].application.reference, user=operations)

    answer = login(auditor).get(LIST)

    shown = list(answer.context["cl"].result_list)
    assert shown == [made[number] for number in (2, 5, 0, 3, 1, 4)]
    html = answer.content.decode()
    assert "<strong>2 open</strong>, nobody works on them yet; 2 acknowledged." in html
    assert made[0].sentence in html
    assert page("change", made[0].application) in html
    assert 'class="field-by">operations</td>' in html
    assert "Resolved by operations" in html
    assert "3\xa0hours <span" in html


def test_filters_by_status_and_kind(login: Login, auditor: User, stuck: Incident) -> None:
    client = login(auditor)

    def found(query: str) -> list[Incident]:
        return list(client.get(f"{LIST}?{query}").context["cl"].result_list)

    assert found("status__exact=open&kind__exact=fraud_unanswered") == [stuck]
    assert found("status__exact=resolved") == []
    assert found("kind__exact=payout_unknown") == []


def test_empty_list_says_what_it_is_for_and_an_empty_filter_that_nothing_is_like_that(
    login: Login, auditor: User, operations: User, officer: User
) -> None:
    client = login(auditor)
    empty = client.get(LIST).content.decode()
    assert "There has been no incident." in empty
    assert "Nothing is stuck: no incident is open." in empty
    assert "result_list" not in empty

    incident = trouble.stuck(officer)
    ops.application_restart(reference=incident.application.reference, user=operations)

    filtered = client.get(f"{LIST}?status__exact=open").content.decode()
    assert "No incident is like that." in filtered
    everything = client.get(LIST).content.decode()
    assert 'id="nothing"' not in everything
    assert "Nothing is stuck: no incident is open." in everything


def test_list_and_page_cost_the_same_however_many_there_are(
    login: Login, officer: User, operations: User, django_assert_num_queries: Any
) -> None:
    incident = trouble.stuck(officer)
    for _ in range(9):
        incidents.incident_acknowledge(incident=trouble.stuck(officer), user=operations)
    client = login(operations)

    # Session, user, two of permissions, the bell, what is unresolved, a count, the rows.
    with django_assert_num_queries(8):
        assert len(client.get(LIST).context["cl"].result_list) == 10
    # Session, user, two of permissions, the bell, the incident; payout, a new order (two), restart,
    # resume, pause and stop; may it be resolved; the case's others and what was done; the badge.
    with django_assert_num_queries(17):
        client.get(at("change", incident))


# --- The page -------------------------------------------------------------------------------


def test_page_tells_what_did_not_get_through_and_leads_to_everything(
    login: Login, auditor: User, officer: User, manager: User
) -> None:
    incident = trouble.answer_given_up(officer, manager)
    other = trouble.handed_over(incident.application)
    execution = incident.application.executions.get()

    html = login(auditor).get(at("change", incident)).content.decode()

    assert "“Answer a callback” was tried 20 times" in html
    assert "EngineUnavailable: Could not connect" in html
    assert "<dt>Tries</dt><dd>20</dd>" in html
    assert "Nobody works on it yet" in html
    for address in (
        page("change", incident.application),
        reverse("admin:workflows_execution_change", args=[execution.pk]),
        reverse("admin:workflows_execution_history", args=[execution.pk]),
        reverse("admin:workflows_outboxmessage_change", args=[incident.message_id]),
        at("change", other),
    ):
        assert f'href="{address}"' in html
    assert "press-" not in html


def test_page_of_an_unknown_payout_shows_the_ledger_and_its_key(
    login: Login, auditor: User, officer: User
) -> None:
    incident = trouble.payout_unknown(officer)

    html = login(auditor).get(at("change", incident)).content.decode()

    assert "Outcome unknown" in html
    assert f"payout-{incident.application.reference}" in html


def test_what_was_done_stands_on_the_page_and_stays_there(
    login: Login, operations: User, officer: User, stuck: Incident
) -> None:
    client = login(operations)
    client.post(at("acknowledge", stuck))
    client.post(page("restart", stuck.application), {"reason": "It is back."})
    intake.application_withdraw(reference=stuck.application.reference, user=officer)

    answer = client.get(at("change", stuck))

    done = [event.kind for event in answer.context["shown"].done]
    assert done == ["incident_acknowledged", "restarted"]
    html = answer.content.decode()
    assert "Resolved by operations" in html
    assert "“Restarted.”" in html
    assert "Restarted as attempt 2. It is back." in html


@pytest.mark.parametrize(
    ("name", "pressed"),
    [
        ("stuck", ["acknowledge", "restart"]),
        ("payout_unknown", ["acknowledge", "paid", "not-paid"]),
        ("start_given_up", ["acknowledge", "resend", "pause", "stop", "resolve"]),
        ("answer_given_up", ["acknowledge", "resend", "pause", "stop", "resolve"]),
        ("expired_then_approved", ["acknowledge", "restart", "resolve"]),
    ],
)
def test_buttons_are_those_that_this_person_may_press_now(
    login: Login, operations: User, onlookers: dict[str, User], name: str, pressed: list[str]
) -> None:
    people = (onlookers["officer"], onlookers["manager"])
    make = getattr(trouble, name)
    incident = make(*people[: make.__code__.co_argcount])

    assert buttons(login(operations), incident) == pressed
    assert buttons(login(onlookers["auditor"]), incident) == []
    assert buttons(login(onlookers["manager"]), incident) == []
    assert buttons(login(onlookers["viewer"]), incident) == []
    withdraws = [] if name in {"payout_unknown", "expired_then_approved"} else ["withdraw"]
    assert buttons(login(onlookers["officer"]), incident) == withdraws


def test_buttons_of_the_case_are_not_there_for_who_may_not_see_cases(
    login: Login, make_user: Callable[..., User], stuck: Incident
) -> None:
    somebody = make_user("somebody")
    permit(somebody, "view_incident", "change_incident", "restart_execution")

    assert buttons(login(somebody), stuck) == ["acknowledge"]


def test_resolved_incident_has_no_buttons(login: Login, operations: User, stuck: Incident) -> None:
    ops.application_restart(reference=stuck.application.reference, user=operations)

    assert buttons(login(operations), stuck) == []


def test_page_only_shows_and_needs_the_right_to_see_incidents(
    login: Login, operations: User, make_user: Callable[..., User], stuck: Incident
) -> None:
    before = kept()

    assert login(operations).post(at("change", stuck), NOTE).status_code == 403
    assert login(make_user("nobody")).get(at("change", stuck)).status_code == 403
    assert login(make_user("nobody2")).get(LIST).status_code == 403
    assert login(operations).get(f"{LIST}999999/change/").status_code == 302
    assert kept() == before


# --- Acknowledge ----------------------------------------------------------------------------


def test_acknowledge_names_who_works_on_it_and_the_first_one_stays(
    login: Login, operations: User, make_user: Callable[..., User], stuck: Incident
) -> None:
    client = login(operations)
    assert "It shows that you work on it." in client.get(at("acknowledge", stuck)).content.decode()
    stuck.refresh_from_db()
    assert stuck.status == Incident.Status.OPEN

    answer = client.post(at("acknowledge", stuck))

    assert (answer.url, said(answer)) == (at("change", stuck), ["You work on it now."])
    stuck.refresh_from_db()
    assert (stuck.status, stuck.acknowledged_by) == (Incident.Status.ACKNOWLEDGED, operations)
    line = ApplicationEvent.objects.get(kind="incident_acknowledged")
    assert (line.actor, line.is_internal) == (operations, True)
    before = kept()
    client.post(at("acknowledge", stuck))
    late = login(make_user("operations2", Role.OPERATIONS)).post(at("acknowledge", stuck))
    assert said(late) == ["Somebody was first: operations."]
    assert kept() == before
    html = client.get(at("change", stuck)).content.decode()
    assert "<strong>operations</strong> works on it since" in html


# --- Mark resolved --------------------------------------------------------------------------


@pytest.mark.usefixtures("decider")
def test_resolve_takes_a_note_and_happens_once(
    login: Login, operations: User, contradiction: Incident
) -> None:
    client = login(operations)
    before = kept()
    client.get(at("resolve", contradiction))
    without = client.post(at("resolve", contradiction), {"note": "   "})
    assert without.context["form"].errors["note"]
    assert kept() == before

    client.post(at("resolve", contradiction), NOTE)

    contradiction.refresh_from_db()
    assert contradiction.status == Incident.Status.RESOLVED
    assert (contradiction.resolved_by, contradiction.note) == (operations, NOTE["note"])
    line = ApplicationEvent.objects.get(kind="incident_resolved")
    assert (line.actor, line.is_internal, line.data["note"]) == (operations, True, NOTE["note"])
    before = kept()
    again = client.post(at("resolve", contradiction), {"note": "Another note."})
    assert said(again)[-1] == "Resolved by operations."
    assert kept() == before


def test_last_incident_of_a_stuck_case_is_not_resolved_and_the_page_says_why(
    login: Login, operations: User, stuck: Incident
) -> None:
    client = login(operations)
    before = kept()

    html = client.get(at("change", stuck)).content.decode()
    answer = client.post(at("resolve", stuck), NOTE)

    assert "this is the last incident that says so" in html
    assert "this is the last incident that says so" in said(answer)[-1]
    assert kept() == before
    stuck.application.refresh_from_db()
    assert stuck.application.status == Status.NEEDS_ATTENTION


# --- Resend ---------------------------------------------------------------------------------


def resend(incident: Incident, *, back: bool = True) -> str:
    address = reverse("admin:workflows_outboxmessage_resend", args=[incident.message_id])
    return f"{address}?incident={incident.pk}" if back else address


def test_resend_gives_the_message_all_its_tries_again_once(
    login: Login, operations: User, officer: User
) -> None:
    incident = trouble.start_given_up(officer)
    client = login(operations)
    before = kept()
    assert "It was tried 20 times and given up." in client.get(resend(incident)).content.decode()
    assert kept() == before

    answer = client.post(resend(incident))

    assert answer.url == at("change", incident)
    message = OutboxMessage.objects.get(pk=incident.message_id)
    assert (message.status, message.attempts) == (OutboxMessage.Status.PENDING, 0)
    incident.refresh_from_db()
    assert (incident.status, incident.resolved_by) == (Incident.Status.RESOLVED, operations)
    line = ApplicationEvent.objects.get(kind="resent")
    assert (line.actor, line.is_internal) == (operations, True)
    before = kept()
    again = client.post(resend(incident))
    assert "was not given up: it is pending." in said(again)[-1]
    assert kept() == before


def test_resend_on_the_messages_own_page_is_there_while_it_is_given_up(
    login: Login, operations: User, auditor: User, officer: User
) -> None:
    incident = trouble.start_given_up(officer)
    address = reverse("admin:workflows_outboxmessage_change", args=[incident.message_id])
    client = login(operations)
    assert "press-resend" not in login(auditor).get(address).content.decode()
    assert "press-resend" in client.get(address).content.decode()

    answer = client.post(resend(incident, back=False))

    assert answer.url == address
    assert "press-resend" not in client.get(address).content.decode()


# --- Whoever may not ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["acknowledge", "resolve", "resend"])
def test_who_may_not_press_is_refused_and_nothing_is_written(
    login: Login, onlookers: dict[str, User], name: str
) -> None:
    incident = trouble.start_given_up(onlookers["officer"])
    address = resend(incident) if name == "resend" else at(name, incident)
    before = kept()

    for user in onlookers.values():
        client = login(user)
        for answer in (client.get(address), client.post(address, NOTE)):
            assert (answer.status_code, answer.url) == (302, at("change", incident))
            assert "Only Operations" in said(answer)[-1]

    assert kept() == before


@pytest.mark.parametrize("name", ["acknowledge", "resolve", "resend"])
def test_who_may_not_see_it_is_sent_away(
    login: Login, make_user: Callable[..., User], officer: User, name: str
) -> None:
    incident = trouble.start_given_up(officer)
    address = resend(incident) if name == "resend" else at(name, incident)
    before = kept()

    assert login(make_user("nobody")).post(address, NOTE).status_code == 403
    assert Client().post(address, NOTE).status_code == 302
    assert kept() == before
