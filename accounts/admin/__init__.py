"""Accounts in the admin: people and groups, second factors, lockouts, proposals."""

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.admin.people import AuditedGroupAdmin, AuditedUserAdmin, RequiredSecondFactorAdmin
from accounts.admin.proposals import ProposalAdmin
from accounts.admin.sign_in import FailedSignInAdmin, SecondFactorAdmin
from accounts.models import FailedSignIn, Proposal, RequiredSecondFactor, SecondFactor

for model in (User, Group, TOTPDevice):  # django-otp's own page would show the secrets
    admin.site.unregister(model)
admin.site.register(User, AuditedUserAdmin)
admin.site.register(Group, AuditedGroupAdmin)
admin.site.register(RequiredSecondFactor, RequiredSecondFactorAdmin)
admin.site.register(SecondFactor, SecondFactorAdmin)
admin.site.register(FailedSignIn, FailedSignInAdmin)
admin.site.register(Proposal, ProposalAdmin)
