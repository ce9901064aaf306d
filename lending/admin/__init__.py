"""Lending policies in the admin."""

from django.contrib import admin

from lending.admin.policies import LendingPolicyAdmin
from lending.models import LendingPolicy

admin.site.register(LendingPolicy, LendingPolicyAdmin)
