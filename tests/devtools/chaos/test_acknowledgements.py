"""What is left to do in a case, by what was told so far."""

from devtools.chaos.acknowledgements import CaseTold, Reply, State
from devtools.chaos.plan import Occasion, Withdrawal
from reviews.choices import TaskKind
from tests.devtools.chaos.office import planned

ACKNOWLEDGED, REFUSED = Reply(State.ACKNOWLEDGED), Reply(State.REFUSED)
TWO = (
    (TaskKind.MANAGER_APPROVAL, "senior", True),
    (TaskKind.MANAGER_APPROVAL, "senior2", True),
)


def case(*decisions: tuple[TaskKind, str, bool], withdrawal: Withdrawal | None = None) -> CaseTold:
    return CaseTold(
        planned("case", "1111", 600_000, *decisions, withdrawal=withdrawal),
        reference="LOAN-1",
        submission=ACKNOWLEDGED,
    )


def test_second_person_is_asked_when_the_first_one_has_an_answer() -> None:
    told = case(*TWO)
    first, second = told.planned.decisions
    assert told.next_decision == first
    told.decisions[first] = ACKNOWLEDGED
    assert told.next_decision == second
    assert not told.complete
    told.decisions[second] = ACKNOWLEDGED
    assert told.next_decision is None
    assert told.complete


def test_refusal_leaves_nothing_to_be_decided() -> None:
    told = case(*TWO)
    told.decisions[told.planned.decisions[0]] = REFUSED
    assert told.next_decision is None


def test_withdrawal_leaves_nothing_to_be_decided() -> None:
    told = case(*TWO, withdrawal=Withdrawal(Occasion.SUBMITTED, 0))
    told.withdrawal = ACKNOWLEDGED
    assert told.next_decision is None
    assert told.complete


def test_refused_withdrawal_leaves_the_decisions_to_be_made() -> None:
    told = case(*TWO, withdrawal=Withdrawal(Occasion.SUBMITTED, 0))
    told.withdrawal = REFUSED
    assert told.next_decision == told.planned.decisions[0]


def test_case_is_complete_only_when_its_withdrawal_has_an_answer() -> None:
    told = case(withdrawal=Withdrawal(Occasion.WAITING, 0))
    assert not told.complete
    told.withdrawal = ACKNOWLEDGED
    assert told.complete


def test_submission_without_an_answer_is_not_complete_and_a_refused_one_is() -> None:
    told = CaseTold(planned("case", "3333", 20_000))
    assert not told.complete
    told.submission = REFUSED
    assert told.complete
