"""Statements of an execution: each change is written once; the file is locked for nothing else."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from functions.local.database import Database
from functions.local.engine import LocalEngine
from tests.functions.local.handlers import FUNCTIONS
from tests.functions.local.support import callback_of, client_for, ended, start
from tests.waiting import eventually


class Recorded(sqlite3.Connection):
    """A connection that keeps the first words of its statements."""

    statements: list[str] = []

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        self.statements.append(" ".join(sql.split()[:3]))
        return super().execute(sql, *parameters)


NAME, EXECUTION = "INSERT INTO names", "INSERT INTO executions"


def test_each_change_is_written_once_and_a_start_locks_the_file_only_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "connection_class", Recorded)
    with LocalEngine(functions=FUNCTIONS, data=tmp_path / "data") as engine:
        client, statements = client_for(engine.url), Recorded.statements
        statements.clear()
        arn = start(client, "approval", "one", effects=str(tmp_path))
        callback_id = callback_of(tmp_path, "one")
        eventually(lambda: engine.tracked()["queues"] == 0)
        first = statements.index(NAME) - 1
        assert statements[first : first + 4] == ["BEGIN IMMEDIATE", NAME, EXECUTION, "COMMIT"]
        assert statements.count(NAME) == 1
        # Its start, the claim, a checkpoint for the first step, its end with the callback, the
        # second step and its end, and the outcome: what is batched together is written together.
        assert 5 <= statements.count(EXECUTION) <= 8
        statements.clear()
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
        ended(client, arn)
        eventually(lambda: not any(engine.tracked().values()))
        assert 4 <= statements.count(EXECUTION) <= 6
        statements.clear()
        start(client, "approval", "one", effects=str(tmp_path))
        assert not {NAME, EXECUTION} & set(statements)
