"""Indexes for the filters and orders of the big lists, built while rows are written."""

from django.db import migrations, models

from applications.migrating import AddIndexOnline


def newest(field):
    return (
        models.OrderBy(models.F(field), descending=True),
        models.OrderBy(models.F("id"), descending=True),
    )


def index(model, name, *columns):
    return AddIndexOnline(model, models.Index(*columns, name=name))


URGENCY = models.Func(
    models.F("status"),
    template="CASE %(expressions)s WHEN 'open' THEN 0 WHEN 'acknowledged' THEN 1 ELSE 2 END",
    output_field=models.IntegerField(),
)
STATUS = models.F("status")


class Migration(migrations.Migration):
    atomic = False
    # Indexes change nothing for code that does not know them.
    old_code_safe = True

    dependencies = [
        ("workflows", "0007_audit_grants"),
    ]

    operations = [
        index("execution", "execution_newest", *newest("queued_at")),
        index("execution", "execution_by_status", STATUS, *newest("queued_at")),
        index("pendingcallback", "callback_newest", *newest("opened_at")),
        index("pendingcallback", "callback_by_status", STATUS, *newest("opened_at")),
        index("outboxmessage", "outbox_by_status", STATUS, newest("id")[1]),
        index("outboxmessage", "outbox_by_kind", models.F("kind"), newest("id")[1]),
        index("incident", "incident_by_status", STATUS, *newest("opened_at")),
        index("incident", "incident_by_urgency", URGENCY, *newest("opened_at")),
    ]
