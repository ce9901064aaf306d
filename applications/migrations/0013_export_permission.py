"""Who may take the list with them; ``workflows`` grants it to the roles."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("applications", "0012_list_indexes"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="loanapplication",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("submit_loanapplication", "Can submit an application"),
                    ("withdraw_loanapplication", "Can withdraw an application"),
                    ("reveal_contact", "Can have an applicant's contact details shown"),
                    ("export_loanapplication", "Can export the list of applications"),
                ],
            },
        ),
    ]
