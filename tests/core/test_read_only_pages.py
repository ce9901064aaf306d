"""A read-only page without its template or its context cannot be imported."""

from typing import Any

import pytest

from core.admin.base import ReadOnlyPageAdmin


def context(self: Any, request: Any, row: Any) -> dict[str, Any]:
    return {"title": "A row"}


@pytest.mark.parametrize(
    ("has", "missing"),
    [
        ({"page_template": "row.html"}, "page_context"),
        ({"page_context": context}, "page_template"),
    ],
)
def test_page_that_forgets_a_part_is_refused_with_its_name(
    has: dict[str, Any], missing: str
) -> None:
    with pytest.raises(TypeError, match=f"RowAdmin shows a page of its own and needs {missing}"):
        type("RowAdmin", (ReadOnlyPageAdmin,), has)


def test_complete_page_is_accepted() -> None:
    complete = type(
        "RowAdmin", (ReadOnlyPageAdmin,), {"page_template": "row.html", "page_context": context}
    )

    assert issubclass(complete, ReadOnlyPageAdmin)
