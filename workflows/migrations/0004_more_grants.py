"""What the roles may do about delegations, incidents, reconciling and unknown payouts."""

from importlib import import_module

from django.db import migrations

permission = import_module("workflows.migrations.0002_roles").permission

DECIDERS = (
    "applications.delegation.add_delegation",
    "applications.delegation.change_delegation",
)
GRANTS = {
    "Loan officer": (),
    "Manager": DECIDERS,
    "Senior manager": DECIDERS,
    "Risk analyst": DECIDERS,
    "Operations": (
        "applications.disbursement.settle_disbursement",
        "workflows.execution.reconcile_execution",
    ),
    "Policy owner": (),
    "Auditor": (),
}


def grant(apps, schema_editor):
    for role, granted in GRANTS.items():
        group = apps.get_model("auth", "Group").objects.get(name=role)
        group.permissions.add(
            *[
                permission(apps, dotted)
                for dotted in (*granted, "applications.delegation.view_delegation")
            ]
        )


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0003_incidents_and_pauses"),
        ("applications", "0003_late_decisions_delegation_sla"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
