"""Small drawings of an assessment: the score among the tiers, the payment beside the income."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from applications.admin.pictures import WIDTH, income_picture, score_picture
from applications.models import LoanApplication, RiskAssessment
from lending.choices import Tier
from lending.services import policy_current, policy_rules
from lending.underwriting import HIGHEST_SCORE, LOWEST_SCORE, PolicyRules, TierRule
from tests.applications.admin.conftest import Login, decide_page, page

TIERS = (
    TierRule(Tier.PRIME, 750, True, Decimal(5), Decimal(500_000)),
    TierRule(Tier.NEAR_PRIME, 600, False, Decimal(8), Decimal(100_000)),
    TierRule(Tier.SUBPRIME, 300, False, Decimal(12), Decimal(0)),
)


def rules(limit: Decimal | None = None) -> PolicyRules:
    return PolicyRules(1, Decimal(1), Decimal(1), limit, TIERS)


def test_tiers_fill_the_drawing_and_the_marker_stands_at_the_exact_mean() -> None:
    found = score_picture(
        score_sum=1351, score_count=2, score="675.50", tier="near_prime", rules=rules()
    )

    assert [(each.name, each.x, each.width) for each in found.tiers] == [
        ("Subprime", 0, 150),
        ("Near-prime", 150, 75),
        ("Prime", 225, 75),
    ]
    assert sum(each.width for each in found.tiers) == WIDTH
    assert [each.is_here for each in found.tiers] == [False, True, False]
    assert [each.is_lent_to for each in found.tiers] == [False, True, True]
    assert found.marker == round(WIDTH * (675.5 - LOWEST_SCORE) / (HIGHEST_SCORE - LOWEST_SCORE), 1)
    assert found.sentence == (
        "675.50 is Near-prime. Prime from 750, Near-prime from 600, Subprime from 300."
    )


def test_numbers_of_boundaries_that_are_close_do_not_cover_each_other() -> None:
    close = (TIERS[0], TierRule(Tier.NEAR_PRIME, 740, False, Decimal(8), Decimal(1)))
    found = score_picture(
        score_sum=800,
        score_count=1,
        score="800",
        tier="prime",
        rules=PolicyRules(1, Decimal(1), Decimal(1), None, close),
    )

    assert [(each.minimum, each.has_label) for each in found.tiers] == [(740, False), (750, True)]


@pytest.mark.parametrize(
    ("ratio", "limit", "sentence", "is_over"),
    [
        ("17.65", None, "17.65 % of the monthly income; the policy has no limit.", False),
        ("17.65", "40", "17.65 % of the monthly income; the policy's limit is 40 %.", False),
        ("170.00", "40", "170.00 % of the monthly income; the policy's limit is 40 %.", True),
    ],
)
def test_payment_is_drawn_from_zero_where_the_income_is_shown(
    ratio: str, limit: str | None, sentence: str, *, is_over: bool
) -> None:
    found = income_picture(
        ratio=Decimal(ratio), rules=rules(None if limit is None else Decimal(limit)), is_exact=True
    )

    assert found is not None
    assert (found.x, found.sentence, found.is_over) == (0, sentence, is_over)
    assert 0 < found.width <= WIDTH
    assert found.width == round(float(WIDTH * Decimal(ratio) / found.scale), 1)


def test_drawing_of_a_band_is_the_same_for_each_share_in_it() -> None:
    drawn = {
        income_picture(ratio=Decimal(ratio), rules=rules(), is_exact=False)
        for ratio in ("10.01", "14.20", "20.00")
    }

    (found,) = drawn
    assert found is not None
    assert (found.x, found.width, found.scale) == (75, 75, 40)
    assert found.share == "10 to 20 %"
    for ratio in ("0.01", "75.00", "159.99", "160.01", "999.00"):
        other = income_picture(ratio=Decimal(ratio), rules=rules(), is_exact=False)
        assert other is not None
        assert 0 <= other.x < other.x + other.width <= WIDTH
        assert other.sentence.startswith(other.share)


def test_no_income_no_drawing() -> None:
    assert income_picture(ratio=None, rules=rules(), is_exact=True) is None


@pytest.mark.django_db
def test_pages_of_application_and_decision_draw_the_band_until_the_income_is_revealed(
    login: Login, manager: User, waiting: LoanApplication
) -> None:
    client = login(manager)
    assessment = RiskAssessment.objects.get()
    hidden, exact = (
        income_picture(
            ratio=assessment.debt_to_income, rules=policy_rules(policy_current()), is_exact=is_exact
        )
        for is_exact in (False, True)
    )
    assert hidden is not None
    assert exact is not None
    addresses = (page("change", waiting), page("live", waiting), decide_page(waiting, "approve"))

    before = [client.get(address).text for address in addresses]
    client.post(page("reveal", waiting))
    after = [client.get(address).text for address in addresses]

    for html in before:
        assert f'x="{hidden.x}" y="10" width="{hidden.width}"' in html
        assert str(exact.width) not in html
        assert exact.sentence not in html
        assert f'id="score-picture-{assessment.pk}"' in html
    for html in after:
        assert f'x="0.0" y="10" width="{exact.width}"' in html
        assert exact.sentence.replace("'", "&#x27;") in html
