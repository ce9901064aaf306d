"""The loan application itself."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from applications.choices import AmountBand, Purpose, Status, Step, waiting_choices
from applications.models.fields import (
    AmountBandField,
    EmailKeyField,
    FoldedNameField,
    PhoneKeyField,
    SurnameFirstField,
)
from applications.search_contacts import LENGTH as PHONE_LENGTH
from applications.search_names import LENGTH
from lending.choices import Outcome
from lending.fields import money_field
from lending.models import LendingPolicy
from lending.underwriting import LONGEST_TERM, SHORTEST_TERM, SMALLEST_INCOME
from partners.models import Partner


def newest_first(*fields: str, name: str, covering: tuple[str, ...] = ()) -> models.Index:
    """Return the index of a list that is found by ``fields`` and begins with the newest row.

    With ``covering`` it also answers other filters, or a count, without the table.
    """
    order = (F("created_at").desc(), F("id").desc())
    return models.Index(*map(F, fields), *order, *map(F, covering), name=name)


four_digits = RegexValidator(r"\A[0-9]{4}\Z", "Enter exactly four digits.")


class LoanApplication(models.Model):
    """One request for a loan, with its workflow state.

    ``version`` increases when the facts that a decider reads change; a decision applies to one
    version. ``attempt`` numbers the durable executions of the application; a step of an older
    attempt may write nothing.
    """

    reference = models.CharField(max_length=20, unique=True, editable=False)
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, null=True, blank=True, related_name="applications"
    )
    external_id = models.CharField(
        max_length=100, blank=True, help_text="The partner's own name for this application."
    )

    applicant_name = models.CharField(max_length=200)
    address = models.CharField(max_length=300, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    email = models.EmailField(blank=True)
    sin_last4 = models.CharField("SIN, last four digits", max_length=4, validators=[four_digits])
    annual_income = money_field(null=True, blank=True, validators=[MinValueValidator(0)])
    loan_amount = money_field()
    currency = models.CharField(max_length=3, default="CAD")
    purpose = models.CharField(
        max_length=30, choices=Purpose.choices, default=Purpose.PERSONAL_LOAN
    )
    term_months = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(SHORTEST_TERM), MaxValueValidator(LONGEST_TERM)],
    )

    status = models.CharField(max_length=20, choices=Status.choices, default=Status.DRAFT)
    current_step = models.CharField(max_length=20, choices=Step.choices, blank=True)
    waiting_on = models.CharField(max_length=20, choices=waiting_choices, blank=True)
    waiting_since = models.DateTimeField(null=True, blank=True)
    waiting_until = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    attempt = models.PositiveIntegerField(default=0)

    policy = models.ForeignKey(LendingPolicy, on_delete=models.PROTECT, null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reasons = models.JSONField(default=list, blank=True)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,  # ``application_by_author`` begins with it
    )
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    last_edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    # For the list. They have defaults in the database because the previous release, which does
    # not know them, still inserts; the sweep fills in the missing values.
    applicant_search = FoldedNameField(
        source="applicant_name",
        max_length=LENGTH,
        default="",
        db_default="",
        blank=True,
        editable=False,
    )
    surname_search = SurnameFirstField(
        source="applicant_name",
        max_length=LENGTH,
        default="",
        db_default="",
        blank=True,
        editable=False,
    )
    phone_search = PhoneKeyField(
        source="phone",
        max_length=PHONE_LENGTH,
        default="",
        db_default="",
        blank=True,
        editable=False,
    )
    email_search = EmailKeyField(
        source="email", max_length=254, default="", db_default="", blank=True, editable=False
    )
    amount_band = AmountBandField(
        source="loan_amount",
        choices=AmountBand.choices,
        default=None,
        null=True,
        blank=True,
        editable=False,
    )

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    submitted_at = models.DateTimeField(null=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    closed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [
            ("submit_loanapplication", "Can submit an application"),
            ("withdraw_loanapplication", "Can withdraw an application"),
            ("reveal_contact", "Can have an applicant's contact details shown"),
            ("export_loanapplication", "Can export the list of applications"),
        ]
        indexes = [
            newest_first(name="application_newest"),
            newest_first("status", name="application_by_status"),
            newest_first("partner", name="application_by_partner"),
            newest_first("current_step", name="application_by_step"),
            # For a status and a step that rarely occur together: either index alone is slow.
            newest_first("status", "current_step", name="application_by_status_step"),
            newest_first("waiting_on", name="application_by_waiting"),
            models.Index(fields=["waiting_on", "waiting_until", "id"], name="application_by_wait"),
            newest_first("amount_band", name="application_by_band"),
            newest_first(
                "applicant_search",
                name="application_by_name",
                covering=("status", "current_step", "amount_band", "partner", "waiting_on"),
            ),
            # For the search in the header; one index for each way to find an application.
            newest_first("surname_search", name="application_by_surname"),
            newest_first("phone_search", name="application_by_phone"),
            newest_first("email_search", name="application_by_email"),
            newest_first("external_id", name="application_by_external"),
            newest_first(
                "created_by", name="application_by_author", covering=("status", "decided_at")
            ),
            models.Index(F("loan_amount").desc(), F("id").desc(), name="application_by_amount"),
            models.Index(
                F("status"),
                F("loan_amount").desc(),
                F("id").desc(),
                F("currency"),
                name="application_by_status_amount",
            ),
            # For the dashboard's counts over thirty days, which read only these indexes.
            models.Index(
                fields=["submitted_at", "decided_at", "outcome", "status"],
                name="application_by_submission",
            ),
            models.Index(
                fields=["status", "closed_at", "currency", "loan_amount"],
                condition=Q(closed_at__isnull=False),
                name="application_by_closing",
            ),
            models.Index(
                fields=["decided_at", "submitted_at", "outcome"],
                condition=Q(decided_at__isnull=False),
                name="application_by_decision",
            ),
        ]
        constraints = [
            # One question, one application, whatever its end.
            models.UniqueConstraint(
                fields=["partner", "external_id"],
                condition=~Q(external_id=""),
                name="application_once_per_external_id",
                violation_error_message="The partner has an application with this external id.",
            ),
            models.CheckConstraint(
                condition=Q(loan_amount__gt=0),
                name="application_amount_positive",
                violation_error_message="Enter an amount above zero.",
            ),
            models.CheckConstraint(
                condition=Q(annual_income__isnull=True) | Q(annual_income__gte=SMALLEST_INCOME),
                name="application_income_makes_sense",
                violation_error_message="Enter a yearly income of at least 1.00, or nothing.",
            ),
            models.CheckConstraint(
                condition=Q(status__in=Status.values),
                name="application_status_known",
                violation_error_message="There is no such status.",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[Status.DRAFT, Status.WITHDRAWN])
                | Q(submitted_at__isnull=False, attempt__gte=1),
                name="application_submitted_has_attempt",
                violation_error_message="What is submitted has a time and an attempt.",
            ),
        ]

    # Fields that are derived from an edited field, and saved with it.
    DERIVED = {
        "applicant_search": "applicant_name",
        "surname_search": "applicant_name",
        "phone_search": "phone",
        "email_search": "email",
        "amount_band": "loan_amount",
    }

    def __str__(self) -> str:
        return self.reference
