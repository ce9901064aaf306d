"""The requests that are left for an application, by the answers so far."""

from devtools.chaos.acknowledgements import AcknowledgedApplication, Reply, State
from devtools.chaos.plan import Occasion, Withdrawal
from reviews.choices import TaskKind
from tests.devtools.chaos.office import planned

ACKNOWLEDGED, REFUSED = Reply(State.ACKNOWLEDGED), Reply(State.REFUSED)
TWO = (
    (TaskKind.MANAGER_APPROVAL, "senior", True),
    (TaskKind.MANAGER_APPROVAL, "senior2", True),
)


def acknowledged(
    *decisions: tuple[TaskKind, str, bool], withdrawal: Withdrawal | None = None
) -> AcknowledgedApplication:
    return AcknowledgedApplication(
        planned("case", "1111", 600_000, *decisions, withdrawal=withdrawal),
        reference="LOAN-1",
        submission=ACKNOWLEDGED,
    )


def test_second_person_is_asked_when_the_first_one_has_an_answer() -> None:
    acknowledgements = acknowledged(*TWO)
    first, second = acknowledgements.planned.decisions
    assert acknowledgements.next_decision == first
    acknowledgements.decisions[first] = ACKNOWLEDGED
    assert acknowledgements.next_decision == second
    assert not acknowledgements.complete
    acknowledgements.decisions[second] = ACKNOWLEDGED
    assert acknowledgements.next_decision is None
    assert acknowledgements.complete


def test_refusal_leaves_nothing_to_be_decided() -> None:
    acknowledgements = acknowledged(*TWO)
    acknowledgements.decisions[acknowledgements.planned.decisions[0]] = REFUSED
    assert acknowledgements.next_decision is None


def test_withdrawal_leaves_nothing_to_be_decided() -> None:
    acknowledgements = acknowledged(*TWO, withdrawal=Withdrawal(Occasion.SUBMITTED, 0))
    acknowledgements.withdrawal = ACKNOWLEDGED
    assert acknowledgements.next_decision is None
    assert acknowledgements.complete


def test_refused_withdrawal_leaves_the_decisions_to_be_made() -> None:
    acknowledgements = acknowledged(*TWO, withdrawal=Withdrawal(Occasion.SUBMITTED, 0))
    acknowledgements.withdrawal = REFUSED
    assert acknowledgements.next_decision == acknowledgements.planned.decisions[0]


def test_case_is_complete_only_when_its_withdrawal_has_an_answer() -> None:
    acknowledgements = acknowledged(withdrawal=Withdrawal(Occasion.WAITING, 0))
    assert not acknowledgements.complete
    acknowledgements.withdrawal = ACKNOWLEDGED
    assert acknowledgements.complete


def test_submission_without_an_answer_is_not_complete_and_a_refused_one_is() -> None:
    acknowledgements = AcknowledgedApplication(planned("case", "3333", 20_000))
    assert not acknowledgements.complete
    acknowledgements.submission = REFUSED
    assert acknowledgements.complete
