"""Keys that follow one another, and what callers have used up of their rates."""

import django.db.models.deletion
from django.db import migrations, models

import applications.models.partners


def unlogged(apps, schema_editor):
    """Counters need not survive a crash, and then no call waits until one is on the disk."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE applications_ratecounter SET UNLOGGED")


class Migration(migrations.Migration):
    # Its code touches only the table that it has made.
    old_code_safe = True

    dependencies = [
        ("applications", "0015_documents_and_answers_of_partners"),
    ]

    operations = [
        migrations.CreateModel(
            name="RateCounter",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("full_at", models.BigIntegerField(help_text="Microseconds since 1970.")),
                ("allowed", models.BooleanField(help_text="Whether the last call was let through.")),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunPython(unlogged, migrations.RunPython.noop),
        migrations.AddField(
            model_name="partner",
            name="rate_limit",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="How often it may call the API, as in 600/min (s, min, hour or day). Empty: as often as any partner.",
                max_length=20,
                validators=[applications.models.partners.validate_rate],
            ),
        ),
        migrations.AddField(
            model_name="partnerkey",
            name="form_id",
            field=models.UUIDField(
                editable=False,
                help_text="Of the form that it was issued with, so that one form issues one key.",
                null=True,
                unique=True,
            ),
        ),
        migrations.AddField(
            model_name="partnerkey",
            name="replaces",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rotated_to",
                to="applications.partnerkey",
            ),
        ),
    ]
