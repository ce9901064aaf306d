"""Take an engine's data folder, or say in one sentence why it cannot be used, and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from functions.local.errors import EngineError, StorageError
from functions.local.private_files import private_folder

FILE = "engine.db"
DAMAGED = ("malformed", "not a database", "encrypted")
UNWRITABLE = ("readonly", "unable to open")


def locked_folder(data: Path) -> FileLock:
    """Return the lock of the folder, taken. Raises ``EngineError``."""
    lock = FileLock(data / "engine.lock")
    try:
        private_folder(data)
        lock.acquire(timeout=0)
    except Timeout:
        raise EngineError(f"Another engine is already running on {data}.") from None
    except OSError as error:
        if error.errno is None:  # a sentence of ours
            raise EngineError(str(error)) from None
        raise EngineError(_unwritable(data, str(error.strerror))) from None
    return lock


@contextmanager
def usable(file: Path) -> Iterator[None]:
    """Turn what SQLite says of a file that it cannot use into an ``EngineError``."""
    try:
        yield
    except (sqlite3.Error, StorageError) as error:
        reason = error.reason if isinstance(error, StorageError) else str(error)
        if any(word in reason for word in DAMAGED):
            sentence = (
                f"{file} is damaged ({reason}): put back a copy of it, or move it away together "
                f"with {file.name}-wal and {file.name}-shm and start without its executions."
            )
        elif any(word in reason for word in UNWRITABLE):
            sentence = _unwritable(file.parent, reason)
        else:
            sentence = f"{file} cannot be used ({reason}): make room on its disk, or repair that."
        raise EngineError(sentence) from error


def _unwritable(data: Path, reason: str) -> str:
    return (
        f"{data} cannot be written ({reason}): let the user who runs the engine write there, or "
        "choose another folder."
    )
