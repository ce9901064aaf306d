"""What the list of applications is searched and filtered by. Quick: no row is written."""

import applications.models.fields
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("applications", "0009_reveal_contact"),
    ]

    operations = [
        migrations.AddField(
            model_name="loanapplication",
            name="amount_band",
            field=applications.models.fields.AmountBandField(
                blank=True,
                choices=[
                    (1, "Under 25,000"),
                    (2, "25,000 to 100,000"),
                    (3, "100,000 to 250,000"),
                    (4, "250,000 to 500,000"),
                    (5, "500,000 and more"),
                ],
                default=None,
                editable=False,
                null=True,
                source="loan_amount",
            ),
        ),
        migrations.AddField(
            model_name="loanapplication",
            name="applicant_search",
            field=applications.models.fields.FoldedNameField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=200,
                source="applicant_name",
            ),
        ),
    ]
