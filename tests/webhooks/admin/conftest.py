"""Clients that are logged in, and everybody who may look but not press."""

from tests.workflows.admin.conftest import _engine_is_asked_anew, login, onlookers

__all__ = ["_engine_is_asked_anew", "login", "onlookers"]
