"""Describe who may call what in the OpenAPI document: read from what is enforced.

``refuse_unknown_fields`` is named in the settings.
"""

from typing import Any, cast

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from partners.api.permissions import Access, WithAccess


def _access(auto_schema: AutoSchema) -> Access:
    return cast("WithAccess", auto_schema.view).access[auto_schema.method]


class PartnerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A bearer key, with the scope that the operation asks for."""

    target_class = "partners.api.authentication.PartnerKeyAuthentication"
    name = "partnerKey"

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        scope = _access(auto_schema).scope
        return {self.name: [scope]} if scope else None

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:  # noqa: ARG002
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A partner's key. Each operation names the scope that it needs.",
        }


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The admin's session, and its CSRF token for anything but a read."""

    target_class = "partners.api.authentication.StaffSessionAuthentication"
    name = ["staffSession", "csrfToken"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        if not _access(auto_schema).staff:
            return None
        return {name: [] for name in self.name[: 1 if auto_schema.method == "GET" else 2]}

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:  # noqa: ARG002
        return [
            {
                "type": "apiKey",
                "in": "cookie",
                "name": settings.SESSION_COOKIE_NAME,
                "description": "A member of staff who is signed in to the back office.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-CSRFToken",
                "description": "The value of the CSRF cookie.",
            },
        ]


def refuse_unknown_fields(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Mark every request's shape as closed to other fields, which is how they are read."""
    for name, shape in result["components"]["schemas"].items():
        if name.endswith("Request"):
            shape["additionalProperties"] = False
            shape.setdefault("type", "object")
    return result
