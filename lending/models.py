"""Models of the lending policy: versioned, immutable once published, pinned to applications."""

from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from accounts.roles import approver_choices
from lending.amortisation import CENT
from lending.choices import Tier
from lending.currencies import known_currency
from lending.fields import money_field, rate_field
from lending.underwriting import HIGHEST_SCORE, LONGEST_TERM, SHORTEST_TERM

# The bounds of the rules. Those that depend on each other are in ``policy_problems``.
MOST_ATTEMPTS = 20
# A larger share is no limit: the estimated payment would be the whole income.
LARGEST_DEBT_TO_INCOME = Decimal(100)
# Percent a year. A higher one is a crime: Criminal Code, s. 347, in force since 2025-01-01.
HIGHEST_RATE = Decimal(35)
# An execution counts its waits in whole seconds, and ends long before a year.
SPAN = [
    MinValueValidator(timedelta(seconds=1), "Enter a time of at least one second."),
    MaxValueValidator(timedelta(days=365), "Enter a time of at most 365 days."),
]
NOT_NEGATIVE = [MinValueValidator(0)]


class LendingPolicy(models.Model):
    version = models.PositiveIntegerField(unique=True, validators=[MinValueValidator(1)])
    currency = models.CharField(max_length=3, default="CAD", validators=[known_currency])
    approval_threshold = money_field(
        default=Decimal("100000.00"),
        validators=NOT_NEGATIVE,
        help_text="At or above this amount a manager decides.",
    )
    second_approval_threshold = money_field(
        default=Decimal("500000.00"),
        validators=NOT_NEGATIVE,
        help_text="At or above this amount two people decide.",
    )
    default_term_months = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(SHORTEST_TERM), MaxValueValidator(LONGEST_TERM)],
    )
    smallest_loan = money_field(
        default=Decimal("500.00"),
        validators=[MinValueValidator(CENT)],
        help_text="An application for less is declined.",
    )
    smallest_instalment = money_field(
        default=Decimal("15.00"),
        validators=[MinValueValidator(CENT)],
        help_text="An application whose monthly instalment would be less is declined.",
    )
    maximum_debt_to_income = rate_field(
        null=True,
        blank=True,
        validators=[MinValueValidator(CENT), MaxValueValidator(LARGEST_DEBT_TO_INCOME)],
        help_text="Estimated payment over monthly income, in percent. Empty: no limit.",
    )
    approval_due = models.DurationField(default=timedelta(days=1), validators=SPAN)
    approval_expires = models.DurationField(default=timedelta(days=7), validators=SPAN)
    fraud_check_timeout = models.DurationField(default=timedelta(minutes=5), validators=SPAN)
    fraud_check_attempts = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(MOST_ATTEMPTS)]
    )
    offer_acceptance_required = models.BooleanField(default=False)
    offer_life = models.DurationField(default=timedelta(days=14), validators=SPAN)
    notes = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False
    )

    class Meta:
        ordering = ["-version"]
        verbose_name_plural = "lending policies"
        permissions = [("publish_lendingpolicy", "Can publish a lending policy")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(second_approval_threshold__gte=models.F("approval_threshold")),
                name="policy_second_threshold_not_below_first",
                violation_error_message="The second approval threshold is below the approval "
                "threshold.",
            ),
            models.CheckConstraint(
                condition=models.Q(approval_expires__gte=models.F("approval_due")),
                name="policy_approval_expires_not_before_due",
                violation_error_message="A decision expires before it is due.",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    smallest_instalment__gt=0, smallest_loan__gte=models.F("smallest_instalment")
                ),
                name="policy_smallest_loan_not_below_instalment",
                violation_error_message="The smallest instalment is above zero, and not above the "
                "smallest loan.",
            ),
        ]

    def __str__(self) -> str:
        return f"Policy version {self.version}"


class PolicyTier(models.Model):
    """One credit tier of a policy: its conditions, its rate and its largest amount."""

    policy = models.ForeignKey(LendingPolicy, on_delete=models.CASCADE, related_name="tiers")
    tier = models.CharField(max_length=20, choices=Tier.choices)
    minimum_score = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(0), MaxValueValidator(HIGHEST_SCORE)],
        help_text="Average score, at or above.",
    )
    requires_clean_record = models.BooleanField(
        default=False, help_text="No derogatory mark at any bureau."
    )
    annual_rate = rate_field(
        validators=[MinValueValidator(0), MaxValueValidator(HIGHEST_RATE)],
        help_text="Percent a year.",
    )
    largest_amount = money_field(validators=NOT_NEGATIVE, help_text="Zero: this tier is declined.")

    class Meta:
        ordering = ["policy", "-minimum_score"]
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "tier"],
                name="policy_tier_once",
                violation_error_message="Each tier has one row.",
            ),
            models.CheckConstraint(
                condition=models.Q(annual_rate__gte=0),
                name="tier_rate_not_negative",
                violation_error_message="The rate is below zero.",
            ),
            models.CheckConstraint(
                condition=models.Q(largest_amount__gte=0),
                name="tier_amount_not_negative",
                violation_error_message="The largest amount is below zero.",
            ),
        ]

    def __str__(self) -> str:
        return self.get_tier_display()


class PolicyAuthority(models.Model):
    """The ceiling of one role under a policy: the largest amount that it may approve."""

    policy = models.ForeignKey(LendingPolicy, on_delete=models.CASCADE, related_name="authorities")
    role = models.CharField(max_length=20, choices=approver_choices)
    ceiling = money_field(
        null=True,
        blank=True,
        validators=NOT_NEGATIVE,
        help_text="Above this amount the next role decides. Empty: no limit.",
    )

    class Meta:
        ordering = ["policy", models.F("ceiling").asc(nulls_last=True)]
        verbose_name_plural = "policy authorities"
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "role"],
                name="policy_authority_once",
                violation_error_message="Each role has one row.",
            ),
            models.CheckConstraint(
                condition=models.Q(ceiling__gte=0),
                name="authority_ceiling_not_negative",
                violation_error_message="The ceiling is below zero.",
            ),
        ]

    def __str__(self) -> str:
        return self.get_role_display()
