"""Indexes for the filters and orders of the big lists, built while rows are written."""

from django.db import migrations, models

from applications.migrating import AddIndexOnline

NEWEST = (
    models.OrderBy(models.F("created_at"), descending=True),
    models.OrderBy(models.F("id"), descending=True),
)
LARGEST = (
    models.OrderBy(models.F("loan_amount"), descending=True),
    models.OrderBy(models.F("id"), descending=True),
)


REQUESTED = (
    models.OrderBy(models.F("requested_at"), descending=True),
    models.OrderBy(models.F("id"), descending=True),
)


def index(name, *columns, model="loanapplication"):
    return AddIndexOnline(model, models.Index(*columns, name=name))


def plain(model, name, *fields):
    return AddIndexOnline(model, models.Index(fields=fields, name=name))


class Migration(migrations.Migration):
    atomic = False
    # Indexes change nothing for code that does not know them.
    old_code_safe = True

    dependencies = [
        ("applications", "0011_fill_list_columns"),
    ]

    operations = [
        index("application_by_step", models.F("current_step"), *NEWEST),
        index(
            "application_by_status_step", models.F("status"), models.F("current_step"), *NEWEST
        ),
        index("application_by_waiting", models.F("waiting_on"), *NEWEST),
        index("application_by_band", models.F("amount_band"), *NEWEST),
        index(
            "application_by_name",
            models.F("applicant_search"),
            *NEWEST,
            models.F("status"),
            models.F("current_step"),
            models.F("amount_band"),
            models.F("partner"),
            models.F("waiting_on"),
        ),
        index("application_by_amount", *LARGEST),
        index("application_by_status_amount", models.F("status"), *LARGEST),
        plain("reviewtask", "task_by_due", "due_at", "id"),
        plain("reviewtask", "task_by_status", "status", "due_at", "id"),
        plain("reviewdecision", "decision_by_time", "decided_at", "id"),
        migrations.AlterModelOptions(
            name="disbursement",
            options={
                "ordering": ["-requested_at", "-id"],
                "permissions": [
                    (
                        "settle_disbursement",
                        "Can say whether a payout of unknown outcome was paid",
                    )
                ],
            },
        ),
        index("disbursement_newest", *REQUESTED, model="disbursement"),
        index("disbursement_by_status", models.F("status"), *REQUESTED, model="disbursement"),
    ]
