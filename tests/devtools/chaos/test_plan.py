"""The plan of a run: fixed by its seed, and rich enough to prove something."""

from collections import Counter
from decimal import Decimal

import pytest

from devtools.chaos.plan import (
    RECIPES,
    SENIORS,
    Moment,
    Occasion,
    Plan,
    moments_expected,
    plan_make,
)
from devtools.processes import ENGINE, SWEEP, WEB
from reviews.choices import TaskKind


@pytest.fixture
def plan() -> Plan:
    return plan_make(applications=200, kills=20, seed=1)


def test_same_seed_gives_the_same_plan_and_another_seed_another(plan: Plan) -> None:
    assert plan_make(applications=200, kills=20, seed=1) == plan
    assert plan_make(applications=200, kills=20, seed=2) != plan


def test_every_application_has_a_name_and_a_course_of_its_own_kind(plan: Plan) -> None:
    assert len({planned.external_id for planned in plan.applications}) == 200
    one_round = plan.applications[: len(RECIPES)]
    assert {planned.sin_last4 for planned in one_round} == {"1111", "2222", "3333", "4444", "5555"}
    courses = Counter(
        tuple((ask.kind, ask.approvals, ask.above_ceiling) for ask in planned.expected_path.asks)
        for planned in one_round
        if not planned.expected_path.declined
    )
    manager, analyst = TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW
    assert set(courses) == {
        (),
        ((manager, 1, False),),
        ((manager, 1, True),),
        ((manager, 2, True),),
        ((analyst, 1, False),),
        ((manager, 1, False), (analyst, 1, False)),
    }
    assert sum(planned.expected_path.declined for planned in one_round) == 4


def test_amounts_are_whole_cents_and_stand_on_the_policy_s_lines_too(plan: Plan) -> None:
    amounts = {planned.amount for planned in plan.applications}
    assert {Decimal(25_000), Decimal(100_000), Decimal(500_000)} <= amounts
    assert all(amount == amount.quantize(Decimal("0.01")) > 0 for amount in amounts)


def test_decisions_follow_the_course_and_end_with_a_decline(plan: Plan) -> None:
    for planned in plan.applications:
        asked = [ask.kind for ask in planned.expected_path.asks for _ in range(ask.approvals)]
        kinds = [decision.kind for decision in planned.decisions]
        assert kinds == asked[: len(kinds)]
        assert len({(d.kind, d.person) for d in planned.decisions}) == len(kinds)
        assert all(decision.approved for decision in planned.decisions[:-1])
        if planned.amount > 250_000:
            manager = TaskKind.MANAGER_APPROVAL
            assert all(d.person in SENIORS for d in planned.decisions if d.kind == manager)
        if planned.withdrawal is None or planned.withdrawal.occasion != Occasion.WAITING:
            assert len(kinds) == len(asked) or not planned.decisions[-1].approved
        else:
            assert not kinds
    outcomes = Counter(d.approved for planned in plan.applications for d in planned.decisions)
    assert outcomes[True] > outcomes[False] > 10
    keyed = Counter(d.keyed for planned in plan.applications for d in planned.decisions)
    assert min(keyed[True], keyed[False]) > 40


def test_withdrawals_come_on_every_occasion(plan: Plan) -> None:
    occasions = Counter(
        planned.withdrawal.occasion for planned in plan.applications if planned.withdrawal
    )
    assert set(occasions) == set(Occasion)
    assert sum(occasions.values()) == 25


def test_kills_hit_every_process_in_every_part_of_the_run(plan: Plan) -> None:
    assert len(plan.kills) == 20
    assert {kill.process for kill in plan.kills} == {ENGINE, SWEEP, WEB}
    expected = moments_expected(plan.applications)
    for moment in Moment:
        counts = [kill.count for kill in plan.kills if kill.moment == moment]
        assert len(counts) == 5
        assert all(1 <= count <= expected[moment] for count in counts)
        assert min(counts) <= expected[moment] / 3
        assert max(counts) > expected[moment] / 2


@pytest.mark.parametrize("seed", range(20))
def test_a_tiny_run_kills_only_at_moments_that_come(seed: int) -> None:
    plan = plan_make(applications=1, kills=7, seed=seed)
    expected = moments_expected(plan.applications)
    assert len(plan.kills) == 7
    assert all(kill.count <= expected[kill.moment] for kill in plan.kills)


def test_no_kills_is_a_plan_too() -> None:
    assert plan_make(applications=3, kills=0, seed=1).kills == ()
