"""A damaged row stops one execution, and a file or folder that cannot be used says what to do."""

import json
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from functions.local.engine import LocalEngine
from functions.local.errors import EngineError
from tests.functions.local.handlers import FUNCTIONS
from tests.functions.local.support import callback_of, client_for, ended, start
from tests.sizes import some
from tests.waiting import eventually

NOBODY = 65534


def engine_on(folder: Path) -> LocalEngine:
    return LocalEngine(functions=FUNCTIONS, data=folder / "data", event_retry_delays=(0.05,))


def change(folder: Path, sql: str, *values: Any) -> None:
    """Change a row past the engine, as a person or a disk does."""
    with closing(sqlite3.connect(folder / "data" / "engine.db")) as file, file:
        assert file.execute(sql, values).rowcount == 1


@pytest.fixture
def waiting(tmp_path: Path) -> dict[str, str]:
    """Two executions that wait for an answer, and one that has ended, in a stopped engine."""
    with engine_on(tmp_path) as engine:
        client = client_for(engine.url)
        arns = {
            name: start(client, "approval", name, effects=str(tmp_path)) for name in ("bad", "good")
        }
        arns["over"] = start(client, "echo-durable", "over")
        ended(client, arns["over"])
        for name in ("bad", "good"):
            callback_of(tmp_path, name)
        eventually(lambda: engine.tracked()["queues"] == 0)
    return arns


@pytest.mark.long
@pytest.mark.parametrize(
    ("column", "value"),
    some(
        [
            ("data", "{"),
            ("data", "[]"),
            ("data", "{}"),
            ("data", b"\xff\xfe"),
            ("data", '{"StartInput": 7}'),
            ("started_at", "yesterday"),
        ],
        of=2,
    ),
)
@pytest.mark.parametrize("damaged", ["bad", "over"])
def test_damaged_row_is_set_aside_and_the_others_go_on(
    waiting: dict[str, str], tmp_path: Path, column: str, value: str | bytes, damaged: str
) -> None:
    change(
        tmp_path,
        f"UPDATE executions SET {column} = CAST(? AS TEXT) WHERE arn = ?",
        value,
        waiting[damaged],
    )
    with engine_on(tmp_path) as engine:
        client = client_for(engine.url)
        if column == "data":
            with pytest.raises(client.exceptions.ResourceNotFoundException):
                client.get_durable_execution(DurableExecutionArn=waiting[damaged])
            health = urllib3.request("GET", f"{engine.url}/health")
            assert (health.status, health.json()["damaged"]) == (200, 1)
            # Its name stays taken, so that it is not carried a second time.
            again = start(client, FUNCTION_OF[damaged], damaged, **event_of(damaged, tmp_path))
            assert again == waiting[damaged]
        client.list_durable_executions_by_function(FunctionName="approval")
        client.send_durable_execution_callback_success(
            CallbackId=callback_of(tmp_path, "good"), Result=b"yes"
        )
        assert json.loads(ended(client, waiting["good"])["Result"])["answer"] == "yes"
    with engine_on(tmp_path) as engine:
        assert engine.recovered.executions == (0 if damaged == "bad" and column == "data" else 1)
        assert engine.recovered.reservations == 0


FUNCTION_OF = {"bad": "approval", "over": "echo-durable"}


def event_of(name: str, folder: Path) -> dict[str, str]:
    return {"effects": str(folder)} if name == "bad" else {}


def test_damaged_reservation_and_event_are_set_aside(
    waiting: dict[str, str], tmp_path: Path
) -> None:
    change(tmp_path, "DELETE FROM executions WHERE arn = ?", waiting["bad"])
    change(tmp_path, "UPDATE names SET name = x'ff' WHERE arn = ?", waiting["bad"])
    change(
        tmp_path,
        "INSERT INTO events (request_id, function, qualifier, payload, attempts, due_at) "
        "VALUES ('1', 'echo', '$LATEST', '{', 'many', 'soon')",
    )
    with engine_on(tmp_path) as engine:
        health = f"{engine.url}/health"
        eventually(lambda: urllib3.request("GET", health).json()["events"]["dead"] == 1)
        client = client_for(engine.url)
        assert client.get_durable_execution(DurableExecutionArn=waiting["good"])


def test_damaged_file_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "engine.db"
    file.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(EngineError, match=r"engine\.db is damaged .* put back a copy") as caught:
        engine_on(tmp_path).start()
    assert "\n" not in str(caught.value)
    # The folder is free again, and nothing was done to the file.
    assert file.read_bytes().startswith(b"no database")
    file.unlink()
    with engine_on(tmp_path):
        pass


def test_file_whose_pages_are_damaged_is_one_sentence(
    waiting: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "data" / "engine.db"
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xa5" * (file.stat().st_size - 4096))
    with pytest.raises(EngineError, match="is damaged"):
        engine_on(tmp_path).start()


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Root may write everywhere: be somebody else for a moment, who owns the folder."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.parents):
        if path in {Path(tempfile.gettempdir()), Path("/")}:
            break
        path.chmod(path.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("read_only", ["folder", "file"])
def test_folder_or_file_that_cannot_be_written_is_one_sentence(
    waiting: dict[str, str], tmp_path: Path, read_only: str
) -> None:
    folder = tmp_path / "data"
    with as_nobody(folder):
        (folder / "engine.db").chmod(0o400)
        if read_only == "folder":
            for path in folder.iterdir():
                path.chmod(0o400)
            folder.chmod(0o500)
        with pytest.raises(EngineError, match=r"data cannot be written .* choose another folder"):
            engine_on(tmp_path).start()
        folder.chmod(0o700)
