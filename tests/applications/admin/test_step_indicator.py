"""The step indicator follows the timeline of the application, not the order of the enumeration."""

from collections.abc import Mapping

import pytest

from applications.admin.step_indicator import PersonStep, State, steps_shown
from applications.choices import Status, Step

AUTOMATIC = (Step.VALIDATING, Step.CREDIT_CHECK, Step.RISK_ASSESSMENT)
ASKED_NOBODY = {
    Step.MANAGER_APPROVAL: PersonStep(asked=False, skipped_as="nobody was asked"),
    Step.OFFER_ACCEPTANCE: PersonStep(asked=False, ruled_out=True),
}


def states(
    *recorded: Step,
    status: Status = Status.IN_REVIEW,
    current: Step,
    person_steps: Mapping[Step, PersonStep] = ASKED_NOBODY,
) -> dict[Step, State]:
    """Return the states by step, in the order of the indicator."""
    shown = steps_shown(
        status=status, current_step=current, recorded=recorded, person_steps=person_steps
    )
    return {step.step: step.state for step in shown}


def test_steps_stand_in_the_order_of_the_timeline_and_those_to_come_behind() -> None:
    found = states(Step.CREDIT_CHECK, Step.VALIDATING, current=Step.RISK_ASSESSMENT)

    assert list(found)[:4] == [
        Step.SUBMITTED,
        Step.CREDIT_CHECK,
        Step.VALIDATING,
        Step.RISK_ASSESSMENT,
    ]
    assert list(found)[4:] == [
        Step.MANAGER_APPROVAL,
        Step.FRAUD_CHECK,
        Step.GENERATING_OFFER,
        Step.DISBURSING,
        Step.COMPLETE,
    ]
    assert list(found.values()) == [State.DONE] * 3 + [State.CURRENT] + [State.AHEAD] * 5


def test_step_that_went_on_without_something_is_no_tick() -> None:
    shown = {
        step.step: step
        for step in steps_shown(
            status=Status.PENDING_APPROVAL,
            current_step=Step.MANAGER_APPROVAL,
            recorded=AUTOMATIC,
            person_steps={},
            incomplete={Step.CREDIT_CHECK: "without Experian"},
        )
    }

    assert shown[Step.CREDIT_CHECK].state == State.INCOMPLETE
    assert shown[Step.CREDIT_CHECK].state_text == "without Experian"
    assert shown[Step.RISK_ASSESSMENT].state == State.DONE


def test_later_step_that_happened_first_is_done_while_an_earlier_one_is_under_way() -> None:
    person = {Step.MANAGER_APPROVAL: PersonStep(asked=True)}
    found = states(*AUTOMATIC, Step.FRAUD_CHECK, current=Step.MANAGER_APPROVAL, person_steps=person)

    order = list(found)
    assert order.index(Step.FRAUD_CHECK) < order.index(Step.MANAGER_APPROVAL)
    assert found[Step.FRAUD_CHECK] == State.DONE
    assert found[Step.MANAGER_APPROVAL] == State.CURRENT


@pytest.mark.parametrize("step", AUTOMATIC)
def test_step_without_an_entry_is_not_called_done(step: Step) -> None:
    recorded = [one for one in AUTOMATIC if one != step]

    found = states(*recorded, current=Step.FRAUD_CHECK)

    assert found[step] == State.SKIPPED
    assert {found[one] for one in recorded} == {State.DONE}
    workflow = list(Step)
    assert sorted(found, key=workflow.index) == list(found)


def test_step_at_which_nobody_was_asked_is_skipped_or_left_out() -> None:
    found = states(*AUTOMATIC, current=Step.FRAUD_CHECK)

    assert found[Step.MANAGER_APPROVAL] == State.SKIPPED
    assert Step.OFFER_ACCEPTANCE not in found


@pytest.mark.parametrize(
    ("status", "at", "behind"),
    [
        (Status.DECLINED, State.FAILED, State.SKIPPED),
        (Status.NEEDS_ATTENTION, State.FAILED, State.AHEAD),
        (Status.IN_REVIEW, State.CURRENT, State.AHEAD),
    ],
)
def test_step_where_an_application_stands_is_marked_by_its_status(
    status: Status, at: State, behind: State
) -> None:
    found = states(*AUTOMATIC, status=status, current=Step.RISK_ASSESSMENT)

    assert (found[Step.RISK_ASSESSMENT], found[Step.DISBURSING]) == (at, behind)


def test_repeated_entries_of_a_step_show_it_once() -> None:
    found = states(Step.SUBMITTED, *AUTOMATIC, *AUTOMATIC, current=Step.FRAUD_CHECK)

    assert list(found)[:4] == [Step.SUBMITTED, *AUTOMATIC]
