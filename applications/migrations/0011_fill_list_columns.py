"""Fills in the columns of 0005, a thousand rows a transaction.

May be interrupted and run again. Rows that the release before writes after this are filled
in by the sweep.
"""

from django.db import migrations

from applications.services.listing import applications_fill_in


def fill_in(apps, schema_editor):
    applications_fill_in(model=apps.get_model("applications", "LoanApplication"))


class Migration(migrations.Migration):
    atomic = False
    # It writes the two new columns and nothing else; older code neither reads nor writes them.
    old_code_safe = True

    dependencies = [
        ("applications", "0010_list_columns"),
    ]

    operations = [migrations.RunPython(fill_in, migrations.RunPython.noop)]
