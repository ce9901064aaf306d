"""Fixtures of the tests that go the whole path."""

from tests.functions.office import office, running

__all__ = ["office", "running"]
