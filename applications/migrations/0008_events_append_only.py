"""The database itself refuses to change or delete a line of a case's timeline."""

from django.db import migrations

from audit.append_only import protect, release

TABLE = "applications_applicationevent"


class Migration(migrations.Migration):
    dependencies = [
        ("applications", "0007_bulk_decisions"),
        ("audit", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(
            lambda apps, schema_editor: protect(schema_editor, TABLE),
            lambda apps, schema_editor: release(schema_editor, TABLE),
        )
    ]
    # Older code only ever added lines: its model refused everything else.
    old_code_safe = True
