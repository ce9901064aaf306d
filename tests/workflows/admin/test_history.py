"""The history page: read from the engine when asked for, told in words, never in data."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from applications.models import LoanApplication
from tests import casework
from tests.applications.admin.conftest import Login, page
from tests.permissions import permit
from tests.workflows import trouble
from tests.workflows.lambda_stub import LambdaStub
from workflows.admin.durations import span
from workflows.admin.history import shown
from workflows.models import Execution

BEGAN = 1_790_000_000.0  # Unix seconds


def event(number: int, kind: str, *, after: float, **more: Any) -> dict[str, Any]:
    """One event as the wire has it."""
    return {"EventId": number, "EventType": kind, "EventTimestamp": BEGAN + after, **more}


EVENTS = [
    event(
        1,
        "ExecutionStarted",
        after=0,
        Id="e",
        ExecutionStartedDetails={
            "Input": {"Truncated": True},
            "ExecutionTimeout": 5_184_000,
        },
    ),
    event(2, "StepStarted", after=0.5, Id="a", Name="validate", StepStartedDetails={}),
    event(
        3,
        "StepFailed",
        after=1.25,
        Id="a",
        Name="validate",
        StepFailedDetails={
            "Error": {
                "Payload": {"ErrorType": "OperationalError", "ErrorMessage": "Alice Johnson"}
            },
            "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 2},
        },
    ),
    event(
        4,
        "StepSucceeded",
        after=66,
        Id="a",
        Name="validate",
        StepSucceededDetails={
            "Result": {"Payload": '"Alice Johnson"'},
            "RetryDetails": {"CurrentAttempt": 2},
        },
    ),
    event(
        5,
        "CallbackStarted",
        after=67,
        Id="c",
        Name="manager_approval",
        CallbackStartedDetails={
            "CallbackId": "secret-callback-id",
            "Timeout": 608_400,
        },
    ),
    event(
        6,
        "InvocationCompleted",
        after=68,
        InvocationCompletedDetails={
            "StartTimestamp": BEGAN,
            "EndTimestamp": BEGAN + 68,
            "RequestId": "r",
        },
    ),
    event(
        7,
        "ExecutionPaused",
        after=70,
        Id="e",
        ExecutionPausedDetails={
            "PauseRequestTimestamp": BEGAN + 70,
            "Reason": {"Payload": "Alice Johnson"},
            "ExecutionTimeoutPaused": True,
        },
    ),
    event(
        8,
        "CallbackTimedOut",
        after=608_467,
        Id="c",
        Name="manager_approval",
        CallbackTimedOutDetails={"Error": {}},
    ),
    event(9, "ExecutionSucceeded", after=608_470, Id="e", ExecutionSucceededDetails={}),
]


@pytest.fixture
def execution(officer: User) -> Execution:
    return casework.waiting_for_manager(officer).executions.get()


def history_of(execution: Execution) -> str:
    return reverse("admin:workflows_execution_history", args=[execution.pk])


def cells(answer: Any) -> list[tuple[Any, ...]]:
    return [(e.number, e.event, e.name, e.details) for e in answer.context["events"]]


def test_history_is_a_table_of_names_times_and_words(
    login: Login, auditor: User, execution: Execution, aws: LambdaStub
) -> None:
    aws.pages.append({"Events": EVENTS})

    answer = login(auditor).get(history_of(execution))

    assert cells(answer) == [
        (1, "Execution started", "", "may take 60 days"),
        (2, "Step started", "validate", ""),
        (3, "Step failed", "validate", "after 0.75 s, OperationalError, try 1, again in 2 s"),
        (4, "Step succeeded", "validate", "after 1 min 6 s, try 2"),
        (5, "Callback started", "manager_approval", "waits for 7 days 1 h"),
        (6, "Invocation completed", "", "took 1 min 8 s"),
        (7, "Execution paused", "", "after 1 min 10 s"),
        (8, "Callback timed out", "manager_approval", "after 7 days 1 h"),
        (9, "Execution succeeded", "", "after 7 days 1 h"),
    ]
    html = answer.content.decode()
    assert html.count('<strong class="bad">') == 2
    assert "secret-callback-id" not in html


def test_waterfall_is_drawn_above_the_table_and_names_are_escaped(
    login: Login, auditor: User, execution: Execution, aws: LambdaStub
) -> None:
    strange = '"><script>alert(1)</script>'
    renamed = [{**each, "Name": strange} if "Name" in each else each for each in EVENTS]
    aws.pages.append({"Events": renamed})

    html = login(auditor).get(history_of(execution)).content.decode()

    drawing = html[html.index('id="waterfall"') : html.index('id="history"')]
    assert drawing.count('class="fall-bar fall-is-failed"') == 3  # a try, a callback, the key
    assert "Failed or timed out: 7 days 1 h" in drawing
    assert strange not in html
    assert drawing.count("&quot;&gt;&lt;script&gt;") == 4  # two names, each with its title
    assert "style=" not in drawing


def test_data_are_not_asked_for_and_what_comes_all_the_same_is_not_shown(
    login: Login, auditor: User, execution: Execution, aws: LambdaStub
) -> None:
    aws.pages.append({"Events": EVENTS})

    html = login(auditor).get(history_of(execution)).content.decode()

    (read,) = aws.reads
    assert "/durable-executions/arn%3Aaws%3Alambda%3A" in read
    assert "IncludeExecutionData=false" in read
    assert "Alice Johnson" not in html


def test_every_page_of_a_long_history_is_read(
    login: Login, auditor: User, execution: Execution, aws: LambdaStub
) -> None:
    aws.pages += [{"Events": EVENTS[:4], "NextMarker": "more"}, {"Events": EVENTS[4:]}]

    answer = login(auditor).get(history_of(execution))

    assert [number for number, *_ in cells(answer)] == list(range(1, 10))
    assert "Marker=more" in aws.reads[1]


@pytest.mark.parametrize(
    "answered",
    [
        (404, "ResourceNotFoundException", "The engine keeps history for a limited time"),
        (429, "TooManyRequestsException", "The engine cannot be reached now"),
        (503, "ServiceException", "The engine cannot be reached now"),
        (400, "InvalidParameterValueException", "The engine did not tell its history"),
    ],
)
def test_history_that_cannot_be_read_is_a_sentence(
    login: Login,
    auditor: User,
    execution: Execution,
    aws: LambdaStub,
    answered: tuple[int, str, str],
) -> None:
    status, error, said = answered
    aws.pages.append((status, error))

    answer = login(auditor).get(history_of(execution))

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert 'id="history"' not in answer.content.decode()
    assert 'id="waterfall"' not in answer.content.decode()


def test_engine_that_is_not_there_is_a_sentence(
    login: Login, auditor: User, execution: Execution
) -> None:
    answer = login(auditor).get(history_of(execution))

    assert answer.status_code == 200
    assert "The engine cannot be reached now" in answer.content.decode()


def test_execution_that_never_started_has_none_and_the_engine_is_not_asked(
    login: Login, auditor: User, submitted: LoanApplication, aws: LambdaStub
) -> None:
    answer = login(auditor).get(history_of(submitted.executions.get()))

    assert "has not started this execution yet" in answer.content.decode()
    assert aws.reads == []


def test_history_needs_the_right_to_see_executions(
    login: Login, make_user: Any, execution: Execution, aws: LambdaStub
) -> None:
    somebody = make_user("somebody")
    permit(somebody, "view_loanapplication")
    client = login(somebody)

    assert client.get(history_of(execution)).status_code == 403
    assert aws.reads == []
    assert Client().get(history_of(execution)).status_code == 302
    case = client.get(page("change", execution.application)).content.decode()
    assert execution.name not in case
    assert history_of(execution) not in case


def test_case_execution_and_incident_lead_to_the_history_and_do_not_read_it(
    login: Login, operations: User, officer: User, aws: LambdaStub
) -> None:
    incident = trouble.stuck(officer)
    execution = incident.application.executions.get()
    client = login(operations)
    pages = [
        page("change", incident.application),
        reverse("admin:workflows_execution_change", args=[execution.pk]),
        reverse("admin:workflows_incident_change", args=[incident.pk]),
    ]

    for address in pages:
        assert f'href="{history_of(execution)}"' in client.get(address).content.decode()
    assert aws.reads == []


def test_unknown_execution_is_not_found(login: Login, auditor: User, db: None) -> None:
    answer = login(auditor).get(reverse("admin:workflows_execution_history", args=[999_999]))

    assert (answer.status_code, answer.url) == (302, reverse("admin:index"))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "under 0.01 s"),
        (0.354, "0.35 s"),
        (9.5, "9.5 s"),
        (12.4, "12 s"),
        (59.9, "1 min"),
        (185, "3 min 5 s"),
        (7200, "2 h"),
        (93_600, "1 day 2 h"),
        (5_184_000, "60 days"),
    ],
)
def test_span_has_two_units_at_the_most(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_kind_that_is_not_known_yet_is_shown_all_the_same() -> None:
    at = casework.timezone.now()
    told = {"EventId": 1, "EventType": "SomethingNewHappened", "EventTimestamp": at}

    (found,) = shown([told])

    assert (found.event, found.name, found.details) == ("Something new happened", "", "")
