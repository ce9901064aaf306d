"""What the hard cases share with the tests of the doors and the engine they go through."""

from tests.applications.admin.conftest import login
from tests.functions.office import office, running
from tests.workflows.deploy_check.draining import pending

__all__ = ["login", "office", "pending", "running"]
