"""What the hard cases share with the tests of the doors that they go through."""

from tests.applications.admin.conftest import login

__all__ = ["login"]
