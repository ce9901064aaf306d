"""The admin door: staff see and steer applications here. It calls services and selectors.

Imports nothing from above: ``workflows.admin`` adds its panels to the application's page.
"""

from django.contrib import admin

from applications.admin.application import LoanApplicationAdmin
from applications.admin.offers import DisbursementAdmin, LoanOfferAdmin
from applications.models import Disbursement, LoanApplication, LoanOffer
from lending.admin.policies import LendingPolicyAdmin
from lending.models import LendingPolicy
from partners.admin import PartnerAdmin, PartnerKeyAdmin
from partners.models import Partner, PartnerKey
from reviews.admin.bulk_decisions import BulkDecisionAdmin
from reviews.admin.decline_reasons import DeclineReasonAdmin
from reviews.admin.delegations import DelegationAdmin
from reviews.admin.tasks import ReviewDecisionAdmin, ReviewTaskAdmin
from reviews.models import BulkDecision, DeclineReason, Delegation, ReviewDecision, ReviewTask

admin.site.register(LoanApplication, LoanApplicationAdmin)
admin.site.register(ReviewTask, ReviewTaskAdmin)
admin.site.register(ReviewDecision, ReviewDecisionAdmin)
admin.site.register(BulkDecision, BulkDecisionAdmin)
admin.site.register(Delegation, DelegationAdmin)
admin.site.register(LoanOffer, LoanOfferAdmin)
admin.site.register(Disbursement, DisbursementAdmin)
admin.site.register(DeclineReason, DeclineReasonAdmin)
admin.site.register(LendingPolicy, LendingPolicyAdmin)
admin.site.register(Partner, PartnerAdmin)
admin.site.register(PartnerKey, PartnerKeyAdmin)
