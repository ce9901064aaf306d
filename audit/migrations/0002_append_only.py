"""The database itself refuses to change or delete a line of the audit log."""

from django.db import migrations

from audit.append_only import protect, release

TABLE = "audit_auditentry"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunPython(
            lambda apps, schema_editor: protect(schema_editor, TABLE),
            lambda apps, schema_editor: release(schema_editor, TABLE),
        )
    ]
    # Nothing older knows the table.
    old_code_safe = True
