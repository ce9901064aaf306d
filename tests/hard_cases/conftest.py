"""Fixtures of the hard cases, shared with the tests of the API, the admin and the engine."""

from tests.applications.admin.conftest import login
from tests.functions.office import office, running
from tests.workflows.deploy_check.draining import pending

__all__ = ["login", "office", "pending", "running"]
