"""The audit log's page, and the base class that makes every other admin write to it."""

from django.contrib import admin

from audit.admin.entries import AuditEntryAdmin
from audit.models import AuditEntry

admin.site.register(AuditEntry, AuditEntryAdmin)
