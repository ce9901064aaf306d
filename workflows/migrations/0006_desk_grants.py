"""Who sees and keeps the catalogue of reasons to decline."""

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
    dependencies = [
        ("workflows", "0005_incident_message_and_periodic_runs"),
        ("applications", "0005_decline_reasons"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
