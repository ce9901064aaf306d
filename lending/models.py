"""Models of the lending policy: versioned, immutable once published, pinned to applications."""

from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from accounts.roles import approver_choices
from lending.amortisation import CENT
from lending.choices import Tier
from lending.fields import money_field, rate_field


class LendingPolicy(models.Model):
    version = models.PositiveIntegerField(unique=True)
    currency = models.CharField(max_length=3, default="CAD")
    approval_threshold = money_field(
        default=Decimal("100000.00"), help_text="At or above this amount a manager decides."
    )
    second_approval_threshold = money_field(
        default=Decimal("500000.00"), help_text="At or above this amount two people decide."
    )
    default_term_months = models.PositiveSmallIntegerField(
        default=60, validators=[MinValueValidator(1)]
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
        help_text="Estimated payment over monthly income, in percent. Empty: no limit.",
    )
    approval_due = models.DurationField(default=timedelta(days=1))
    approval_expires = models.DurationField(default=timedelta(days=7))
    fraud_check_timeout = models.DurationField(default=timedelta(minutes=5))
    fraud_check_attempts = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1)]
    )
    offer_acceptance_required = models.BooleanField(default=False)
    offer_life = models.DurationField(default=timedelta(days=14))
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
            ),
            models.CheckConstraint(
                condition=models.Q(approval_expires__gte=models.F("approval_due")),
                name="policy_approval_expires_not_before_due",
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
    minimum_score = models.PositiveSmallIntegerField(help_text="Average score, at or above.")
    requires_clean_record = models.BooleanField(
        default=False, help_text="No derogatory mark at any bureau."
    )
    annual_rate = rate_field(help_text="Percent a year.")
    largest_amount = money_field(help_text="Zero: this tier is declined.")

    class Meta:
        ordering = ["policy", "-minimum_score"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "tier"], name="policy_tier_once"),
            models.CheckConstraint(
                condition=models.Q(annual_rate__gte=0), name="tier_rate_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(largest_amount__gte=0), name="tier_amount_not_negative"
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
        help_text="Above this amount the next role decides. Empty: no limit.",
    )

    class Meta:
        ordering = ["policy", models.F("ceiling").asc(nulls_last=True)]
        verbose_name_plural = "policy authorities"
        constraints = [
            models.UniqueConstraint(fields=["policy", "role"], name="policy_authority_once"),
            models.CheckConstraint(
                condition=models.Q(ceiling__gte=0), name="authority_ceiling_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.get_role_display()
