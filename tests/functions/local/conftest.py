"""Fixtures of the engine's tests: one in this process, one that can be killed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.local.engine import LocalEngine
from tests.functions.local.handlers import FUNCTIONS
from tests.functions.local.support import EngineProcess, client_for


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """An engine in this process, shared by the tests of a module."""
    with LocalEngine(
        functions=FUNCTIONS,
        data=tmp_path_factory.mktemp("engine"),
        retry_backoff_seconds=1,
        event_retry_delays=(0.05, 0.1),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(engine: LocalEngine) -> Any:
    """boto3 for that engine."""
    return client_for(engine.url)


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine in a process of its own, started."""
    process = EngineProcess(tmp_path)
    try:
        yield process.start()
    finally:
        process.kill()
