"""Callers of the API, an endpoint and its receiver."""

from tests.partners.api.conftest import (
    anonymous,
    api,
    api_with,
    as_staff,
    other_api,
    other_partner,
)
from tests.webhooks.conftest import endpoint, receiver

__all__ = [
    "anonymous",
    "api",
    "api_with",
    "as_staff",
    "endpoint",
    "other_api",
    "other_partner",
    "receiver",
]
