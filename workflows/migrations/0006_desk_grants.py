"""Who keeps the catalogue of reasons to decline, and who sees every bulk decision."""

from importlib import import_module

from django.db import migrations

permission = import_module("workflows.migrations.0002_roles").permission

ROLES = (
    "Loan officer",
    "Manager",
    "Senior manager",
    "Risk analyst",
    "Operations",
    "Policy owner",
    "Auditor",
)
GRANTS = {
    "Policy owner": (
        "applications.declinereason.add_declinereason",
        "applications.declinereason.change_declinereason",
    ),
    # Whoever decided sees their own.
    "Auditor": ("applications.bulkdecision.view_bulkdecision",),
}


def grant(apps, schema_editor):
    for role in ROLES:
        group = apps.get_model("auth", "Group").objects.get(name=role)
        group.permissions.add(
            *[
                permission(apps, dotted)
                for dotted in (
                    *GRANTS.get(role, ()),
                    "applications.declinereason.view_declinereason",
                )
            ]
        )


class Migration(migrations.Migration):
    old_code_safe = True  # it only adds rows that older code does not read
    dependencies = [
        ("workflows", "0005_incident_message_and_periodic_runs"),
        ("applications", "0007_bulk_decisions"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
