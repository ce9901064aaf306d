"""Describe the headers and examples that operations share."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema

from partners.api.idempotency import HEADER, LONGEST_KEY, REPLAYED_HEADER

COUNT = {"type": "integer", "minimum": 0}


def _rate_header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        COUNT,
        OpenApiParameter.HEADER,
        response=True,
        description=f"{description} On answers to a partner's key.",
    )


# As in draft-ietf-httpapi-ratelimit-headers, up to its version 06.
RATE_HEADERS = [
    _rate_header("RateLimit-Limit", "How many calls the partner may make at once."),
    _rate_header("RateLimit-Remaining", "How many of them are left now; they come back steadily."),
    _rate_header("RateLimit-Reset", "Seconds until all of them are there again."),
    OpenApiParameter(
        "Retry-After",
        {"type": "integer", "minimum": 1},
        OpenApiParameter.HEADER,
        response=[429],
        description="Seconds after which the next call is let through.",
    ),
]
REQUEST_ID_HEADERS = [
    OpenApiParameter(
        "X-Request-Id",
        str,
        OpenApiParameter.HEADER,
        description="Up to 128 signs; one is made when it is absent.",
    ),
    OpenApiParameter(
        "X-Request-Id",
        str,
        OpenApiParameter.HEADER,
        response=True,
        description="What to quote when you ask us about this request.",
    ),
]
COMMON_HEADERS = [*RATE_HEADERS, *REQUEST_ID_HEADERS]
POST_HEADERS = [
    *COMMON_HEADERS,
    OpenApiParameter(
        HEADER,
        {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$"},
        OpenApiParameter.HEADER,
        description="Makes it safe to send this again: for 24 hours the same request under the "
        "same key is not done again but gets the answer it got. Only answers below 400 are kept.",
    ),
    OpenApiParameter(
        REPLAYED_HEADER,
        {"type": "string", "const": "true"},
        OpenApiParameter.HEADER,
        response=[200, 201, 202],
        description="There when this is the answer of an earlier request under the key.",
    ),
]
LOCATION = OpenApiParameter(
    "Location",
    str,
    OpenApiParameter.HEADER,
    response=[201],
    description="The application's address.",
)
ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200, 304],
    description="Names this state of the application.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="An ETag that you have; 304 when it is still the current one.",
)


def response(name: str, value: Any, status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


def request(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def page(results: list[Any]) -> dict[str, Any]:
    return {"results": results, "next": None, "previous": None}


def name_enums(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give a parameter the component that has its values: a hook of drf-spectacular.

    It names the values of fields only, and a generated client would have two types of the same.
    """
    shapes = result["components"]["schemas"]
    named = {tuple(shape["enum"]): name for name, shape in shapes.items() if "enum" in shape}
    for operations in result["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                name = named.get(tuple(parameter["schema"].get("enum", ())))
                if name is not None:
                    parameter["schema"] = {"$ref": f"#/components/schemas/{name}"}
    return result


hidden = extend_schema(exclude=True)
