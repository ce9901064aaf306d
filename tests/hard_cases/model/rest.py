"""End of an example: without faults everything finishes, and nothing is lost."""

from typing import Any

from tests.hard_cases.model.office import Office
from tests.hard_cases.model.record import Record, Row, everything
from workflows.models import Execution, Incident
from workflows.outbox import queue

ENOUGH = queue.TRIES + 20  # rounds in which even what fails for good is given up
# They say that a case goes no further; a contradiction, say, does not.
STUCK = {Incident.Kind.DELIVERY_FAILED, Incident.Kind.ENGINE_DISAGREES}


def come_to_rest(office: Office) -> None:
    """Every case ends, waits for somebody, or says why it is stuck; repeats change nothing."""
    office.outside.rail.mood, office.outside.rail.answers_find = "pays", True
    for _ in range(ENOUGH):
        before = _state(office)
        for execution in Execution.objects.filter(paused_at__isnull=False, ended_at=None):
            office.resume({"reference": execution.application.reference})
        office.fair_weather()
        office.pass_deadlines()
        office.reconcile()
        office.check()
        if _state(office) == before:
            break
    else:
        raise AssertionError("it never comes to rest")
    for case in office.now.applications:
        _assert_not_forgotten(office, case)
    _run_all_again(office)


def _state(office: Office) -> list[Any]:
    now = Record()
    return [
        [(row["status"], row["current_step"], row["attempt"]) for row in now.applications],
        [row["status"] for row in now.tasks + now.incidents],
        [(row["status"], row["paused_at"]) for row in now.executions],
        [row["status"] for row in now.callbacks],
        [(row["status"], row["attempts"]) for row in now.messages],
        len(now.events),
        len(office.engine.events),
        [
            (item.status, item.paused, len(item.checkpoints))
            for item in office.engine.executions.values()
        ],
    ]


def _assert_not_forgotten(office: Office, case: Row) -> None:
    now = office.now
    if case["status"] in {"funded", "declined", "expired", "withdrawn", "needs_attention"}:
        return  # ``promises`` looks at these
    if any(
        row["status"] != "resolved" and row["kind"] in STUCK
        for row in now.of_case(now.incidents, case)
    ):
        return
    asked = {row["id"] for row in now.of_case(now.tasks, case) if row["status"] == "open"}
    listening = {callback.id for callback in office.engine.open_callbacks()}
    heard = [
        row
        for row in now.callbacks
        if row["review_task_id"] in asked
        and row["status"] == "open"
        and row["callback_id"] in listening
    ]
    assert heard, f"{case['reference']} is {case['status']}, and nobody will ever know"


def _run_all_again(office: Office) -> None:
    """No step that ended well changes anything when it runs again."""
    before = everything()
    for execution in office.engine.executions.values():
        for name, body in execution.bodies.items():
            known = execution.checkpoints.get(name)
            if known is not None and known.error is None:
                office.replay(body)
                assert everything() == before, f"{name} of {execution.name} changed something"
