"""The stand-in for AWS, once; for every test a fresh account."""

from collections.abc import Iterator

import pytest

from tests.aws.process import Aws, standing_in


@pytest.fixture(scope="session")
def the_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with standing_in(tmp_path_factory.mktemp("aws") / "aws.log") as aws:
        yield aws


@pytest.fixture
def aws(the_stand_in: Aws) -> Aws:
    """An AWS account with nothing in it."""
    the_stand_in.reset()
    return the_stand_in
