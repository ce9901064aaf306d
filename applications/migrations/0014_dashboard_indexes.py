"""Indexes for what the dashboard counts, built while rows are written."""

from django.db import migrations, models

from applications.migrating import AddIndexOnline


def index(model, name, *fields, **more):
    return AddIndexOnline(model, models.Index(fields=fields, name=name, **more))


class Migration(migrations.Migration):
    atomic = False
    # Indexes change nothing for code that does not know them.
    old_code_safe = True

    dependencies = [
        ("applications", "0013_export_permission"),
    ]

    operations = [
        index("loanapplication", "application_by_submission", "submitted_at"),
        index(
            "loanapplication",
            "application_by_closing",
            "status",
            "closed_at",
            condition=models.Q(closed_at__isnull=False),
        ),
        index(
            "loanapplication",
            "application_by_decision",
            "decided_at",
            "submitted_at",
            condition=models.Q(decided_at__isnull=False),
        ),
        index("reviewtask", "task_open_by_age", "status", "opened_at", "due_at"),
    ]
