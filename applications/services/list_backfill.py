"""Fills in what lists are searched and filtered by, where it is missing.

A row does that itself when it is saved. Missing it is in rows from before these columns
were there, and in those that the release before writes while this one is rolled out.
"""

from typing import Any

from applications.choices import AmountBand
from applications.search_names import normalize
from core.database import in_batches, update_each


def applications_fill_in(*, model: Any, most: int | None = None) -> int:
    """Fill in what is missing, in short transactions; returns how many rows, ``most`` at most.

    ``model`` is ``LoanApplication``, or a migration's picture of it. A name that is changed
    meanwhile is left alone.
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
