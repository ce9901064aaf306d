"""Fill in the derived columns that lists search and filter by, where they are missing.

Saving a row derives them. They are missing in rows from before these columns existed, and in
rows that the previous release writes while this one is rolled out.
"""

from typing import Any

from applications.choices import AmountBand
from applications.search_names import normalize
from core.database import in_batches, update_each


def applications_fill_in(*, model: Any, most: int | None = None) -> int:
    """Fill in rows in short transactions until ``most`` or more are done; returns how many.

    ``model`` is ``LoanApplication``, or its historical model in a migration. A row whose name
    changes meanwhile is skipped.
    """
    filled = 0
    for piece in in_batches(
        model.objects.filter(amount_band__isnull=True), "applicant_name", "loan_amount"
    ):
        update_each(
            model._meta.db_table,
            sets=["applicant_search", "amount_band"],
            where=["id", "applicant_name"],
            values=[
                (normalize(name), AmountBand.of(amount).value, pk, name)
                for pk, name, amount in piece
            ],
        )
        filled += len(piece)
        if most is not None and filled >= most:
            break
    return filled
