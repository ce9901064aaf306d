"""The OpenAPI document, made once: it says the same to everybody."""

from functools import cache
from typing import Any


@cache
def document() -> dict[str, Any]:
    """The document; not to be changed. Made from the views, so not when this is imported."""
    from drf_spectacular.generators import SchemaGenerator  # noqa: PLC0415

    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    found: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found
