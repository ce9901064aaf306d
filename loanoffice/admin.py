"""The admin site of Loan Office: its name, its dress and its front page."""

from django.contrib.admin import AdminSite

from accounts.forms import OwnPasswordForm


class LoanOfficeAdminSite(AdminSite):
    site_header = "Loan Office"
    site_title = "Loan Office"
    index_title = "Today"
    site_url = None  # there is no other site to view
    password_change_form = OwnPasswordForm
