"""Every role sees every application, so each may take the list with them.

Whoever runs the office takes it away again from a group that should only look.
"""

from importlib import import_module

from django.db import migrations

roles = import_module("workflows.migrations.0002_roles")

EXPORT = "applications.loanapplication.export_loanapplication"


def grant(apps, schema_editor):
    for group in apps.get_model("auth", "Group").objects.filter(name__in=roles.GRANTS):
        group.permissions.add(roles.permission(apps, EXPORT))


class Migration(migrations.Migration):
    # It adds a permission that older code does not know.
    old_code_safe = True

    dependencies = [
        ("workflows", "0008_list_indexes"),
        ("applications", "0013_export_permission"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
