"""Serve the OpenAPI document, made once, with the address at which it was asked for."""

from typing import Any

from django.urls import get_script_prefix
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from rest_framework.request import Request
from rest_framework.response import Response

from core.once import once
from partners.api.base import ApiView
from partners.api.openapi import parameters as operations
from partners.api.openapi import security  # noqa: F401 - its schemes register themselves


@once  # drf-spectacular loads its extensions at the first use, and not thread-safely
def document() -> dict[str, Any]:
    """Return the document; not to be changed. Made from the views, so not at import."""
    from drf_spectacular.generators import SchemaGenerator  # noqa: PLC0415

    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    found: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


class SchemaView(ApiView):
    """The OpenAPI document, for anybody. It is made once; only the address of the server is the
    caller's, which may have the path of a stage.
    """

    authentication_classes = []
    permission_classes = []
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer]

    @operations.hidden
    def get(self, request: Request) -> Response:
        site = request.build_absolute_uri(get_script_prefix()).rstrip("/")
        servers = [{**server, "url": site} for server in document()["servers"]]
        return Response({**document(), "servers": servers})
