"""Offers and disbursements in the admin: read-only, written by services."""

from django.contrib import admin
from django.utils.safestring import SafeString

from applications.admin.view_helpers import ApplicationColumn
from applications.models import Disbursement, LoanOffer
from core.admin.base import ReadOnlyAdmin
from core.admin.display import money
from core.admin.orders import BY_STATUS, Order


class LoanOfferAdmin(ApplicationColumn, ReadOnlyAdmin[LoanOffer]):
    list_display = (
        "offer_id",
        "application_shown",
        "amount",
        "rate",
        "monthly",
        "term",
        "issued_at",
        "expires_at",
    )
    list_select_related = ("application",)
    ordering = ("-id",)
    sortable_by = ()
    empty_list_text = (
        "An offer appears here once an application is approved and its fraud check has passed."
    )

    @admin.display(description="Principal")
    def amount(self, offer: LoanOffer) -> SafeString:
        return money(offer.principal, offer.currency)

    @admin.display(description="Annual rate")
    def rate(self, offer: LoanOffer) -> str:
        return f"{offer.annual_rate} %"

    @admin.display(description="Term")
    def term(self, offer: LoanOffer) -> str:
        return f"{offer.term_months} months"

    @admin.display(description="Monthly payment")
    def monthly(self, offer: LoanOffer) -> SafeString:
        return money(offer.monthly_payment, offer.currency)


class DisbursementAdmin(ApplicationColumn, ReadOnlyAdmin[Disbursement]):
    list_display = (
        "idempotency_key",
        "application_shown",
        "amount_shown",
        "status",
        "rail_reference",
        "requested_at",
        "funded_at",
    )
    counts_status = True
    list_filter = ("status",)
    list_select_related = ("application",)
    # By status is by the word that is shown, but those of unknown outcome are last.
    orders = {
        "requested_at": Order(("requested_at", "id"), beside=BY_STATUS),
        "status": Order(("status", "-requested_at", "-id"), beside=BY_STATUS),
    }
    empty_list_text = (
        "A payout appears here before the rail is asked to pay it, once for each application."
    )

    @admin.display(description="Amount")
    def amount_shown(self, disbursement: Disbursement) -> SafeString:
        return money(disbursement.amount, disbursement.currency)
