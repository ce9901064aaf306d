"""Reviews in the admin, and their part of an application's page."""

from django.contrib import admin

from applications.models import LoanApplication
from reviews.admin.application import ReviewApplicationAdmin
from reviews.admin.bulk_decisions import BulkDecisionAdmin
from reviews.admin.decline_reasons import DeclineReasonAdmin
from reviews.admin.delegations import DelegationAdmin
from reviews.admin.tasks import ReviewDecisionAdmin, ReviewTaskAdmin
from reviews.models import BulkDecision, DeclineReason, Delegation, ReviewDecision, ReviewTask

admin.site.unregister(LoanApplication)
admin.site.register(LoanApplication, ReviewApplicationAdmin)
admin.site.register(ReviewTask, ReviewTaskAdmin)
admin.site.register(ReviewDecision, ReviewDecisionAdmin)
admin.site.register(BulkDecision, BulkDecisionAdmin)
admin.site.register(Delegation, DelegationAdmin)
admin.site.register(DeclineReason, DeclineReasonAdmin)
