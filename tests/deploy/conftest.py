"""The stand-in for AWS, once; for every test a fresh account and a fresh checkout."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.deploy.office import (
    Aws,
    Office,
    make_plain_roles,
    needs_the_deploy_environment,
    standing_in,
)


class ByRoom(LoadScopeScheduling):
    """Schedule the tests that share a costly set-up in one process."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        room = path.removeprefix("tests/deploy/")
        return path if room == path else room.partition("/")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByRoom:
    return ByRoom(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/deploy/"):
            item.add_marker(pytest.mark.deploy)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    needs_the_deploy_environment()
    with standing_in(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture
def office(aws: Aws, tmp_path: Path) -> Office:
    """A checkout, and an account that has roles and nothing else."""
    aws.reset()
    make_plain_roles(aws)
    aws.tell(forget_requests=True)
    return quick_office(tmp_path, aws)


@pytest.fixture(scope="session")
def deployed_once(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real first deploy, kept under this name."""
    aws.reset()
    make_plain_roles(aws)
    quick_office(tmp_path_factory.mktemp("first"), aws).ship("deploy")
    aws.keep("deployed")
    return "deployed"


@pytest.fixture
def deployed(deployed_once: str, aws: Aws, tmp_path: Path) -> Office:
    """A checkout of a stage that was deployed once; what follows is noted from here on."""
    aws.reset(come_back_to=deployed_once)
    return quick_office(tmp_path, aws)


def quick_office(folder: Path, aws: Aws) -> Office:
    """Its package has little in it, for no function runs; and Zappa waits for no gateway."""
    office = Office(folder, aws)
    most = [
        "applications",
        "functions",
        "lending",
        "loanoffice/*/*",
        "partners",
        "reviews",
        "webhooks",
        "workflows",
    ]
    office.save_settings(
        apigateway_enabled=False,
        exclude_glob=[*office.settings["production"]["exclude_glob"], *most],
    )
    return office


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the requests that tests have recorded, wherever they ran."""
    for report in terminalreporter.getreports("passed"):
        for name, lines in report.user_properties:
            if name == "requests" and report.when == "call":
                terminalreporter.section(lines[0])
                for line in lines[1:]:
                    terminalreporter.line(line)
