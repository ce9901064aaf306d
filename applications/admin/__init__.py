"""Applications in the admin. The apps above register a subclass of the application's own."""

from django.contrib import admin

from applications.admin.application import LoanApplicationAdmin
from applications.admin.offers import DisbursementAdmin, LoanOfferAdmin
from applications.models import Disbursement, LoanApplication, LoanOffer

admin.site.register(LoanApplication, LoanApplicationAdmin)
admin.site.register(LoanOffer, LoanOfferAdmin)
admin.site.register(Disbursement, DisbursementAdmin)
