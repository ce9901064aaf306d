"""The step indicator: what each step of the workflow looks like for one case. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from applications.choices import Status, Step
from applications.transitions import is_terminal
from lending.choices import Outcome


class State(StrEnum):
    DONE = "done"
    CURRENT = "current"
    FAILED = "failed"
    SKIPPED = "skipped"
    AHEAD = "ahead"


@dataclass(frozen=True)
class StepShown:
    step: Step
    state: State
    said: str  # the state in words, for those who do not see colours

    @property
    def label(self) -> str:
        return self.step.label


def steps_shown(
    *,
    status: str,
    current_step: str,
    outcome_at_risk: str,
    asked_manager: bool,
    acceptance_required: bool,
) -> list[StepShown]:
    """The steps in order. ``outcome_at_risk`` is empty until the case was assessed."""
    return list(
        _shown(
            status=Status(status),
            reached=list(Step).index(Step(current_step or Step.SUBMITTED)),
            manager_needed=outcome_at_risk == Outcome.REFER or asked_manager,
            assessed=bool(outcome_at_risk),
            acceptance_required=acceptance_required,
        )
    )


def _shown(
    *,
    status: Status,
    reached: int,
    manager_needed: bool,
    assessed: bool,
    acceptance_required: bool,
) -> Iterator[StepShown]:
    closed = is_terminal(status)
    for number, step in enumerate(Step):
        if step == Step.OFFER_ACCEPTANCE and not acceptance_required:
            continue
        if step == Step.MANAGER_APPROVAL and assessed and not manager_needed:
            yield StepShown(step, State.SKIPPED, "not needed")
        elif number < reached or (number == reached and status == Status.FUNDED):
            yield StepShown(step, State.DONE, "done")
        elif number > reached:
            if closed:
                yield StepShown(step, State.SKIPPED, "not reached")
            else:
                yield StepShown(step, State.AHEAD, "to come")
        elif closed or status == Status.NEEDS_ATTENTION:
            yield StepShown(step, State.FAILED, status.label.lower())
        else:
            yield StepShown(step, State.CURRENT, "under way")
