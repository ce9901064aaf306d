"""Clients that are logged in."""

from tests.applications.admin.conftest import login

__all__ = ["login"]
