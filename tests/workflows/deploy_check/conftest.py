"""Pending migrations, and a list of executions that the product's boto3 reads."""

from collections.abc import Iterator

import pytest

from tests.workflows.deploy_check.draining import pending
from tests.workflows.deploy_check.listing import Listing
from workflows import engine

__all__ = ["pending"]


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listing]:
    serving = Listing()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", serving.url)
    engine.forget_client()
    yield serving
    serving.server.stop()
    engine.forget_client()
