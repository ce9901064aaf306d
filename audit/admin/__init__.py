"""The audit log's page, and what makes every other page of the admin write to it."""

from django.contrib import admin

from audit.admin.entries import AuditEntryAdmin
from audit.models import AuditEntry

admin.site.register(AuditEntry, AuditEntryAdmin)
