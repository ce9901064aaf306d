"""Models of credit reports and risk assessments."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from applications.choices import Bureau, bureau_choices
from applications.models.application import LoanApplication
from lending.choices import Outcome, Tier
from lending.fields import rate_field, share_field
from lending.models import LendingPolicy
from lending.underwriting import HIGHEST_SCORE, LOWEST_SCORE, mean_in_words


class CreditReport(models.Model):
    """One bureau's answer for one attempt of the workflow."""

    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="credit_reports"
    )
    attempt = models.PositiveIntegerField()
    bureau = models.CharField(max_length=20, choices=bureau_choices)
    score = models.PositiveSmallIntegerField()
    derogatory_marks = models.PositiveSmallIntegerField(default=0)
    bureau_reference = models.CharField(max_length=100, blank=True)
    pulled_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["application", "attempt", "bureau"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "attempt", "bureau"], name="credit_report_once"
            ),
            models.CheckConstraint(
                condition=Q(score__gte=LOWEST_SCORE, score__lte=HIGHEST_SCORE),
                name="credit_score_in_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_bureau_display()} {self.score}"


class RiskAssessment(models.Model):
    """The result of applying the policy to the credit reports of one attempt."""

    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="risk_assessments"
    )
    attempt = models.PositiveIntegerField()
    policy = models.ForeignKey(LendingPolicy, on_delete=models.PROTECT)
    average_score = models.PositiveSmallIntegerField(help_text="Rounded; see ``mean_score``.")
    score_sum = models.PositiveSmallIntegerField(help_text="Of the scores of all reports.")
    score_count = models.PositiveSmallIntegerField(help_text="How many reports there were.")
    derogatory_marks = models.PositiveSmallIntegerField()
    missing_bureaus = models.JSONField(default=list, blank=True)
    tier = models.CharField(max_length=20, choices=Tier.choices)
    annual_rate = rate_field()
    debt_to_income = share_field(help_text="Percent.")
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reasons = models.JSONField(default=list, blank=True)
    assessed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["application", "attempt"]
        constraints = [
            models.UniqueConstraint(fields=["application", "attempt"], name="risk_assessment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_tier_display()}, {self.get_outcome_display().lower()}"

    @property
    def mean_score(self) -> str:
        """The mean that the tier was found by, with decimals where it has any."""
        return mean_in_words(score_sum=self.score_sum, score_count=self.score_count)

    @property
    def missing_labels(self) -> list[str]:
        """The names of the bureaus that did not answer."""
        return [Bureau(name).label for name in self.missing_bureaus]
