"""The roles of the back office as groups, with the permissions that each one has.

Permissions are normally made after all migrations, so they are made here first; Django finds
them afterwards and leaves them alone.
"""

from django.contrib.auth.management import create_permissions
from django.db import migrations

from accounts.roles import EVERY_ROLE, GRANTS


def grant(apps, schema_editor):
    for app_config in apps.get_app_configs():
        app_config.models_module = True  # the apps of a migration have none, and are passed over
        create_permissions(app_config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
        app_config.models_module = None
    for role, granted in GRANTS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role.value)
        group.permissions.add(*[permission(apps, name) for name in (*EVERY_ROLE, *granted)])


def permission(apps, name):
    app_label, codename = name.split(".")
    return apps.get_model("auth", "Permission").objects.get(
        content_type__app_label=app_label, codename=codename
    )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("audit", "0001_initial"),
        ("partners", "0001_initial"),
        ("lending", "0001_initial"),
        ("applications", "0001_initial"),
        ("reviews", "0001_initial"),
        ("workflows", "0001_initial"),
        ("webhooks", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
