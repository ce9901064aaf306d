"""The base classes of the admin; the audit log's list gets what they give to every other list."""

from django.contrib import admin

from audit.admin.entries import AuditEntryAdmin
from audit.models import AuditEntry
from core.admin.own_lists import OwnListAdmin


class OwnAuditEntryAdmin(OwnListAdmin[AuditEntry], AuditEntryAdmin):
    """The audit log with the columns and the saved filters of the person who looks."""


admin.site.unregister(AuditEntry)
admin.site.register(AuditEntry, OwnAuditEntryAdmin)
