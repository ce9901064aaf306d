"""The step indicator: what each step of the workflow looks like for one application. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from applications.choices import Status, Step
from applications.transitions import is_terminal


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
    state_text: str  # the state in words, for those who do not see colours

    @property
    def label(self) -> str:
        return self.step.label


@dataclass(frozen=True)
class PersonStep:
    """A step at which a person may be asked, as far as is known of one application."""

    asked: bool
    ruled_out: bool = False  # nobody will be asked
    skipped_as: str = ""  # in words; empty: a step that is ruled out is left out


def steps_shown(
    *, status: str, current_step: str, person_steps: Mapping[Step, PersonStep]
) -> Iterator[StepShown]:
    """The steps in order. What the workflow does itself it never skips; people it may not ask."""
    at = Status(status)
    closed = is_terminal(at)
    reached = list(Step).index(Step(current_step or Step.SUBMITTED))
    for number, step in enumerate(Step):
        person = person_steps.get(step)
        if person and not person.asked and (person.ruled_out or number < reached):
            if person.skipped_as:
                yield StepShown(step, State.SKIPPED, person.skipped_as)
        elif number < reached or (number == reached and at == Status.FUNDED):
            yield StepShown(step, State.DONE, "done")
        elif number > reached:
            if closed:
                yield StepShown(step, State.SKIPPED, "not reached")
            else:
                yield StepShown(step, State.AHEAD, "to come")
        elif closed or at == Status.NEEDS_ATTENTION:
            yield StepShown(step, State.FAILED, at.label.lower())
        else:
            yield StepShown(step, State.CURRENT, "under way")
