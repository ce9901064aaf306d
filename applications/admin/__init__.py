"""The admin door: staff see and steer applications here. It calls services and selectors.

Imports nothing from above: ``workflows.admin`` adds its panels to the application's page.
"""

from django.contrib import admin

from applications.admin.application import LoanApplicationAdmin
from applications.admin.bulk_runs import BulkDecisionAdmin
from applications.admin.delegations import DelegationAdmin
from applications.admin.partners import PartnerAdmin, PartnerKeyAdmin
from applications.admin.policies import LendingPolicyAdmin
from applications.admin.reasons import DeclineReasonAdmin
from applications.admin.reviews import (
    DisbursementAdmin,
    LoanOfferAdmin,
    ReviewDecisionAdmin,
    ReviewTaskAdmin,
)
from applications.models import (
    BulkDecision,
    DeclineReason,
    Delegation,
    Disbursement,
    LendingPolicy,
    LoanApplication,
    LoanOffer,
    Partner,
    PartnerKey,
    ReviewDecision,
    ReviewTask,
)

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
