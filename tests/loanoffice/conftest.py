"""The stand-in for AWS, once; for every test a fresh account. And the path of a stage."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import set_script_prefix

from tests.aws.process import Aws, standing_in
from tests.loanoffice.stage import STAGE


@pytest.fixture(scope="session")
def the_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with standing_in(tmp_path_factory.mktemp("aws") / "aws.log") as aws:
        yield aws


@pytest.fixture
def aws(the_stand_in: Aws) -> Aws:
    """An AWS account with nothing in it."""
    the_stand_in.reset()
    return the_stand_in


@pytest.fixture
def behind_the_stage(settings: Any) -> Iterator[None]:
    """Set what a server sets for each request, which the test client does not.

    Django keeps the address of the static files, with the prefix of the first request.
    """
    set_script_prefix(f"{STAGE}/")
    settings.STATIC_URL = f"{STAGE}/static/"
    settings.STORAGES = dict(settings.STORAGES)  # makes the storages anew
    yield
    set_script_prefix("/")
