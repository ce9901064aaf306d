import pytest

from applications.choices import Status
from applications.errors import TransitionRefused
from applications.transitions import ALLOWED, TERMINAL, check_transition, is_terminal


def test_every_status_has_its_moves_and_terminal_ones_have_none() -> None:
    assert set(ALLOWED) == set(Status)
    assert {status for status in Status if not ALLOWED[status]} == TERMINAL - {Status.EXPIRED}
    assert all(is_terminal(status) for status in TERMINAL)


def test_expired_case_leaves_only_by_a_restart() -> None:
    assert ALLOWED[Status.EXPIRED] == {Status.SUBMITTED}


@pytest.mark.parametrize("status", sorted(TERMINAL - {Status.EXPIRED}))
def test_nothing_leaves_a_terminal_status(status: Status) -> None:
    for new in set(Status) - {status}:
        with pytest.raises(TransitionRefused):
            check_transition(reference="LOAN-X", current=status, new=new)


def test_staying_is_allowed_and_a_refusal_names_both_ends() -> None:
    check_transition(reference="LOAN-X", current="funded", new="funded")
    with pytest.raises(TransitionRefused, match="LOAN-X is draft; it cannot become funded"):
        check_transition(reference="LOAN-X", current="draft", new="funded")


def test_money_only_leaves_an_approved_case_or_one_that_operations_mends() -> None:
    assert {status for status, to in ALLOWED.items() if Status.FUNDED in to} == {
        Status.APPROVED,
        Status.NEEDS_ATTENTION,
    }
