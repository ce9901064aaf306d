"""Read what a decider looks at in a task: why it was asked, the grade, the share of income.

The same for a row of *My approvals*, the page of one decision and the preview of many: one query
for any number of tasks.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from applications.models import LoanApplication, RiskAssessment
from applications.pii import debt_to_income_band
from lending.amortisation import monthly_payment
from lending.choices import ReasonCode, Tier
from lending.underwriting import ESTIMATED_PAYMENT_SHARE, debt_to_income, share_of_income
from reviews.models import ReviewTask

# Why a person is asked, in a few words; a reason that is not here keeps its own sentence.
WHY = MappingProxyType(
    {
        ReasonCode.AMOUNT_AT_THRESHOLD: "Amount at or over the threshold",
        ReasonCode.BUREAU_UNAVAILABLE: "Referred: no report from {missing}",
        ReasonCode.INCOME_NOT_STATED: "Referred: income not stated",
        ReasonCode.FRAUD_SUSPECTED: "Fraud flag",
        ReasonCode.SCORE_TOO_LOW: "Score below the policy's minimum",
        ReasonCode.DEROGATORY_MARKS: "Derogatory marks",
        ReasonCode.AMOUNT_ABOVE_TIER_LIMIT: "Amount over the tier's largest loan",
        ReasonCode.DEBT_TO_INCOME_TOO_HIGH: "Payment over the policy's share of income",
    }
)
# Reasons that do not say that anything is wrong with the application or missing from it.
ORDINARY = frozenset({ReasonCode.AMOUNT_AT_THRESHOLD, ReasonCode.FRAUD_SUSPECTED})
INCOME_NOT_STATED = "income not stated"


@dataclass(frozen=True)
class Figures:
    """The figures of one task. Without an assessment there is no grade and no instalment.

    ``share`` is the instalment's share of the monthly income where the income is shown, else its
    band. ``is_referral`` tells whether it was asked for another reason than the amount or a flag.
    """

    why: tuple[str, ...]
    is_referral: bool
    assessment: RiskAssessment | None = None
    instalment: Decimal | None = None
    share: str = ""

    @property
    def tier(self) -> str:
        return "" if self.assessment is None else Tier(self.assessment.tier).label

    @property
    def score(self) -> str:
        return "" if self.assessment is None else self.assessment.mean_score


def figures_of(
    tasks: Collection[ReviewTask], *, income_shown: Callable[[LoanApplication], bool]
) -> dict[int, Figures]:
    """Return the figures by the task's key. The applications of the tasks are loaded."""
    assessed = {
        (one.application_id, one.attempt): one
        for one in RiskAssessment.objects.filter(
            application__in={task.application_id for task in tasks}
        )
    }
    return {
        task.pk: figures(
            task,
            assessed.get((task.application_id, task.attempt)),
            income_shown=income_shown(task.application),
        )
        for task in tasks
    }


def figures(task: ReviewTask, assessment: RiskAssessment | None, *, income_shown: bool) -> Figures:
    """Return the figures of one task with the assessment of its attempt."""
    codes = {reason["code"] for reason in task.reasons}
    why = tuple(_why(reason, assessment) for reason in task.reasons) or (task.get_kind_display(),)
    is_referral = not codes <= ORDINARY
    if assessment is None:
        return Figures(why, is_referral)
    application = task.application
    instalment = monthly_payment(
        principal=application.loan_amount,
        annual_rate=assessment.annual_rate,
        term_months=application.term_months,
    )
    share = _share(application, instalment, income_shown=income_shown)
    return Figures(why, is_referral, assessment, instalment, share)


def _why(reason: dict[str, str], assessment: RiskAssessment | None) -> str:
    missing = assessment.missing_labels if assessment is not None else []
    text = WHY.get(ReasonCode(reason["code"])) if reason["code"] in ReasonCode else None
    if text is None:
        return reason["text"]
    return text.format(missing=" and ".join(missing) or "a bureau")


def _share(application: LoanApplication, instalment: Decimal, *, income_shown: bool) -> str:
    income = application.annual_income
    if not income:
        return INCOME_NOT_STATED
    if income_shown:
        return f"{share_of_income(payment=instalment, annual_income=income)} % of income"
    estimated = debt_to_income(loan_amount=application.loan_amount, annual_income=income)
    times = instalment / (application.loan_amount * ESTIMATED_PAYMENT_SHARE)
    return f"{debt_to_income_band(estimated, times=times)} of income"
