"""Models of the offer, its repayment schedule and the disbursement."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from applications.models.application import LoanApplication
from applications.models.documents import Document
from lending.fields import computed_money_field, money_field, rate_field


class LoanOffer(models.Model):
    """The terms made to an applicant in one attempt.

    An acceptance holds for the same terms in a later attempt under the same policy version: the new
    offer names the attempt that it was given in. Other terms need a new one.
    """

    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="offers"
    )
    attempt = models.PositiveIntegerField()
    offer_id = models.CharField(max_length=30, unique=True)
    principal = money_field()
    currency = models.CharField(max_length=3)
    annual_rate = rate_field()
    term_months = models.PositiveSmallIntegerField()
    monthly_payment = computed_money_field()
    last_payment = computed_money_field()
    total_interest = computed_money_field()
    issued_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    acceptance_required = models.BooleanField(
        default=False, help_text="The policy, or other terms in an earlier attempt, require it."
    )
    accepted_in = models.PositiveIntegerField(
        null=True, blank=True, help_text="The earlier attempt in which these terms were accepted."
    )
    accepted_at = models.DateTimeField(null=True, blank=True)
    declined_at = models.DateTimeField(null=True, blank=True)
    letter = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["application", "attempt"]
        constraints = [
            models.UniqueConstraint(fields=["application", "attempt"], name="offer_once"),
        ]

    def __str__(self) -> str:
        return self.offer_id

    @property
    def terms(self) -> tuple[object, ...]:
        """Return what an applicant agrees to."""
        return (
            self.principal,
            self.currency,
            self.annual_rate,
            self.term_months,
            self.monthly_payment,
            self.last_payment,
            self.total_interest,
        )


class Instalment(models.Model):
    """One line of the repayment schedule. ``balance`` is the amount owed after it is paid."""

    offer = models.ForeignKey(LoanOffer, on_delete=models.CASCADE, related_name="instalments")
    number = models.PositiveSmallIntegerField()
    payment = computed_money_field()
    interest = money_field()
    principal = money_field()
    balance = money_field()

    class Meta:
        ordering = ["offer", "number"]
        constraints = [
            models.UniqueConstraint(fields=["offer", "number"], name="instalment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.payment}"


class Disbursement(models.Model):
    """The ledger row of a payout, written before the payout rail is asked to pay.

    One row per application, whatever the attempt, so that a restart cannot pay twice.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested", "Requested"
        PAID = "paid", "Paid"
        REFUSED = "refused", "Refused"
        UNKNOWN = "unknown", "Outcome unknown"
        NOT_PAID = "not_paid", "Not paid, as two people found"

    # Statuses in which certainly nothing was paid, and nothing will be without a new attempt.
    NOTHING_LEFT = (Status.REFUSED, Status.NOT_PAID)

    application = models.OneToOneField(
        LoanApplication, on_delete=models.PROTECT, related_name="disbursement"
    )
    idempotency_key = models.CharField("key at the rail", max_length=64, unique=True)
    orders = models.PositiveSmallIntegerField(
        default=1, help_text="How many orders there were: a new one after each refusal."
    )
    amount = money_field()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)
    rail_reference = models.CharField(max_length=100, blank=True)
    requested_at = models.DateTimeField(default=timezone.now)
    funded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at", "-id"]
        indexes = [
            models.Index(F("requested_at").desc(), F("id").desc(), name="disbursement_newest"),
            models.Index(
                F("status"),
                F("requested_at").desc(),
                F("id").desc(),
                name="disbursement_by_status",
            ),
        ]
        permissions = [
            ("settle_disbursement", "Can say whether a payout of unknown outcome was paid"),
            ("confirm_disbursement", "Can confirm what became of a payout of unknown outcome"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="paid") | Q(funded_at__isnull=False), name="paid_has_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount:,.2f} {self.currency}, {self.get_status_display().lower()}"

    @property
    def order_keys(self) -> tuple[str, ...]:
        """Return the keys of all orders at the rail, the current one last.

        Each is derived from the first. A rail repeats its first answer to a key, so that only
        another key can be paid after a refusal.
        """
        first = self.idempotency_key
        return (first, *(f"{first}-{number}" for number in range(2, self.orders + 1)))
