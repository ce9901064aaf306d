"""All stored rows, to be compared before and after."""

from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection

from audit.models import Action, AuditEntry

# A read with a partner's key notes when the key was last used, and nothing else.
NOTED_BY_READS = {("partners.PartnerKey", "last_used_at")}
# Who looked at something is on record, and that is no change.
LOOKS = (Action.VIEWED, Action.DOWNLOADED)


type Row = tuple[Any, ...]


@cache
def _selects() -> dict[str, str]:
    """A statement for every table, by model: in plain SQL, for it is asked after each step."""
    quote = connection.ops.quote_name
    found = {}
    for model in apps.get_models(include_auto_created=True):
        meta = model._meta
        if meta.proxy:
            continue
        columns = [
            quote(field.column)
            for field in meta.local_concrete_fields
            if (meta.label, field.attname) not in NOTED_BY_READS
        ]
        looks = ", ".join(f"'{action.value}'" for action in LOOKS)
        where = f" WHERE action NOT IN ({looks})" if model is AuditEntry else ""
        found[meta.label] = (
            f"SELECT {', '.join(columns)} FROM {quote(meta.db_table)}{where} "
            f"ORDER BY {quote(meta.pk.column)}"
        )
    return found


def everything_stored() -> dict[str, list[Row]]:
    """Every row of every table, column by column, as the database gives it."""
    found = {}
    with connection.cursor() as cursor:
        for label, select in _selects().items():
            cursor.execute(select)
            found[label] = cursor.fetchall()
    return found
