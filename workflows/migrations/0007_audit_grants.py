"""Who reads the audit log, and who may ask for an applicant's contact details.

An auditor sees who asked for them and needs no address to judge that; nor do Operations and
policy owners. A superuser may hand the permission to any role.
"""

from importlib import import_module

from django.db import migrations

permission = import_module("workflows.migrations.0002_roles").permission

REVEAL = "applications.loanapplication.reveal_contact"
GRANTS = {
    "Loan officer": (REVEAL,),
    "Manager": (REVEAL,),
    "Senior manager": (REVEAL,),
    "Risk analyst": (REVEAL,),
    "Auditor": ("audit.auditentry.view_auditentry", "audit.auditentry.export_auditentry"),
}


def grant(apps, schema_editor):
    for role, granted in GRANTS.items():
        group = apps.get_model("auth", "Group").objects.get(name=role)
        group.permissions.add(*[permission(apps, dotted) for dotted in granted])


def revoke(apps, schema_editor):
    for role, granted in GRANTS.items():
        group = apps.get_model("auth", "Group").objects.get(name=role)
        group.permissions.remove(*[permission(apps, dotted) for dotted in granted])


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0006_desk_grants"),
        ("applications", "0009_reveal_contact"),
        ("audit", "0001_initial"),
    ]

    operations = [migrations.RunPython(grant, revoke)]
    # Rows of permissions that older code does not ask for.
    old_code_safe = True
