"""Who sees webhooks, and who sends them again.

Every role sees them, as it sees everything else that leaves. Endpoints and their secrets are
an administrator's, as partners' keys are: no role is given them here. What a delivery keeps
of its event is filled in, apart from the migration that adds the columns.
"""

from importlib import import_module

from django.db import migrations, models

roles = import_module("workflows.migrations.0002_roles")

VIEW = (
    "workflows.webhookendpoint.view_webhookendpoint",
    "workflows.webhookdelivery.view_webhookdelivery",
)
GRANTS = {"Operations": ("workflows.webhookdelivery.resend_webhookdelivery",)}


def grant(apps, schema_editor):
    for role in roles.GRANTS:
        group = apps.get_model("auth", "Group").objects.filter(name=role).first()
        if group is not None:
            granted = (*VIEW, *GRANTS.get(role, ()))
            group.permissions.add(*[roles.permission(apps, dotted) for dotted in granted])


def fill_in(apps, schema_editor):
    """What a delivery keeps of its event."""
    event = apps.get_model("workflows", "WebhookEvent").objects.filter(pk=models.OuterRef("event"))
    apps.get_model("workflows", "WebhookDelivery").objects.filter(partner=None).update(
        partner=models.Subquery(event.values("partner")),
        event_type=models.Subquery(event.values("type")),
    )


class Migration(migrations.Migration):
    # Rows of permissions, and columns, that older code does not know.
    old_code_safe = True

    dependencies = [("workflows", "0011_webhook_lists")]

    operations = [
        migrations.RunPython(fill_in, migrations.RunPython.noop),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
