"""The step indicator: what each step of the workflow looks like for one application. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from applications.choices import Status, Step
from applications.transitions import is_terminal


class State(StrEnum):
    DONE = "done"
    INCOMPLETE = "incomplete"
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
    *,
    status: str,
    current_step: str,
    recorded: Iterable[str],
    person_steps: Mapping[Step, PersonStep],
    incomplete: Mapping[Step, str] = {},
) -> Iterator[StepShown]:
    """Return the steps: those of the timeline as they happened, then those to come.

    ``recorded`` are the steps of the entries of the current attempt, the oldest first. Steps
    without an entry stand where the workflow has them; a person may not have been asked.
    ``incomplete`` says of a step what it went on without.
    """
    at = Status(status)
    closed = is_terminal(at)
    current = Step(current_step or Step.SUBMITTED)
    happened = [Step(step) for step in dict.fromkeys([Step.SUBMITTED, *recorded]) if step]
    shown = [*(step for step in happened if step != current), current]
    workflow = list(Step)
    reached = workflow.index(current)
    for number, step in enumerate(workflow):
        if step not in shown:
            later = (at for at, one in enumerate(shown) if workflow.index(one) > number)
            shown.insert(next(later, len(shown)), step)
    for step in shown:
        person = person_steps.get(step)
        is_ahead = workflow.index(step) > reached
        if person and not person.asked and (person.ruled_out or not is_ahead) and step != current:
            if person.skipped_as:
                yield StepShown(step, State.SKIPPED, person.skipped_as)
        elif step == current and at == Status.FUNDED:
            yield StepShown(step, State.DONE, "done")
        elif step == current and (closed or at == Status.NEEDS_ATTENTION):
            yield StepShown(step, State.FAILED, at.label.lower())
        elif step == current:
            yield StepShown(step, State.CURRENT, "under way")
        elif step in happened:
            state = State.INCOMPLETE if step in incomplete else State.DONE
            yield StepShown(step, state, incomplete.get(step, "done"))
        elif not is_ahead:
            yield StepShown(step, State.SKIPPED, "not recorded")
        elif closed:
            yield StepShown(step, State.SKIPPED, "not reached")
        else:
            yield StepShown(step, State.AHEAD, "to come")
