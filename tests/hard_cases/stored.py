"""Everything that is stored, to be compared before and after."""

from typing import Any

from django.apps import apps

from audit.models import Action, AuditEntry

# A read with a partner's key notes when the key was last used, and nothing else.
NOTED_BY_READS = {("applications.PartnerKey", "last_used_at")}
# Who looked at something is on record, and that is no change.
LOOKS = (Action.VIEWED, Action.DOWNLOADED)


def everything_stored() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, column by column."""
    return {
        model._meta.label: [
            {
                name: value
                for name, value in row.items()
                if (model._meta.label, name) not in NOTED_BY_READS
            }
            for row in model._base_manager.order_by("pk").values()
            if model is not AuditEntry or row["action"] not in LOOKS
        ]
        for model in apps.get_models(include_auto_created=True)
    }
