"""Model-based search: no sequence of actions breaks an invariant.

A hypothesis state machine over the real services: people decide (rightly, wrongly, late, for
one another), Operations stop, restart, pause and settle, the outbox sends and sends again,
the fraud check answers once, twice, differently or never, timers go off, the engine loses
answers, executions and patience, processes die between any two statements, and steps run
again long after their time. After each of these everything in ``model.promises`` must hold;
in the end, when the weather is fair, every case must end, wait for somebody, or say why not.

How it stands on the product: services, step bodies, handler, outbox and reconciler are the
real ones, on a real database with real commits, so that ``on_commit`` works, step bodies
have the connections they have in production, and what dies is rolled back as it would be.
Each example begins with an empty office (``record.wipe``). Only what is outside is made up,
behind HTTP on loopback: the engine, the fraud service and the payout rail. The workflow's
own code runs over a context that plays the durable SDK from checkpoints, one operation an
invocation (``model.durable``); the real SDK carries it in ``tests/functions``.

The same few examples run each time, more of them in the long run. A random search::

    MODEL_EXAMPLES=2000 MODEL_STEPS=60 pytest tests/hard_cases/test_model.py
"""

import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import InMemoryStorage
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from lending.choices import Outcome
from tests import casework
from tests.hard_cases.model.death import Death, death
from tests.hard_cases.model.machine import Model
from tests.hard_cases.model.office import Office
from tests.hard_cases.model.outside import Outside, Server, server
from tests.hard_cases.model.people import People, hire
from tests.hard_cases.model.promises import Moves, moves
from tests.hard_cases.model.rest import come_to_rest
from tests.sizes import size

RANDOM = "MODEL_EXAMPLES" in os.environ
EXAMPLES = size(short=4, long=80, variable="MODEL_EXAMPLES")
STEPS = size(short=40, long=50, variable="MODEL_STEPS")


@pytest.fixture
def people(make_user: Callable[..., User]) -> People:
    return hire(make_user)


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch, transactional_db: None, settings: Any
) -> Iterator[tuple[Server, Death, Moves]]:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": f"{InMemoryStorage.__module__}.{InMemoryStorage.__qualname__}"},
    }
    settings.LOANOFFICE_DELIVERY_GRACE = timedelta(hours=1)
    logging.disable(logging.CRITICAL)  # millions of lines that nobody reads
    with server(monkeypatch, settings) as serving, death() as lurking, moves() as noted:
        yield serving, lurking, noted
    logging.disable(logging.NOTSET)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_no_order_of_things_breaks_a_promise(
    world: tuple[Server, Death, Moves], people: People
) -> None:
    serving, lurking, noted = world

    def make_office() -> Office:
        serving.outside = Outside()
        return Office(people=people, outside=serving.outside, death=lurking, moves=noted)

    run_state_machine_as_test(
        partial(Model, make_office),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=not RANDOM,
            database=None,
            deadline=None,
            print_blob=RANDOM,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.APPROVE, "funded"), (Outcome.DECLINE, "declined")]
)
def test_partner_who_answers_for_its_applicant_keeps_every_promise(
    world: tuple[Server, Death, Moves], people: People, outcome: Outcome, status: str
) -> None:
    """The one way through the model that the few examples may miss."""
    serving, lurking, noted = world
    casework.change_policies(offer_acceptance_required=True)
    office = Office(people=people, outside=serving.outside, death=lurking, moves=noted)
    office.submit("small", people.partner)
    for _ in range(20):
        office.go_on(operations=1, outcome=outcome)
        office.check()

    (answer,) = office.now.decisions
    assert (answer["partner_id"], answer["decided_by_id"]) == (people.partner.pk, None)
    assert office.now.applications[0]["status"] == status
    come_to_rest(office)
