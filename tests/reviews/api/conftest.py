"""Callers of the API."""

from tests.partners.api.conftest import (
    anonymous,
    api,
    api_with,
    as_staff,
    other_api,
    other_partner,
    rows,
)

__all__ = ["anonymous", "api", "api_with", "as_staff", "other_api", "other_partner", "rows"]
