"""Fail each test in which slow work ran while a transaction was open or on a database's owner.

Slow work is what leaves the process (``OUTSIDE``) and what keeps the processor busy for more than
20 ms (``HEAVY``). While it runs, everybody else waits for the lock, and on SQLite everybody who
writes. The functions are wrapped once, for all tests of the process, by ``slow_work_watched``;
``conftest`` looks after each test at what they noted. The transaction of a test case does not
count, nor one that ``casework`` opens to make rows quickly.
"""

import functools
import importlib
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from workflows import db_threads

OUTSIDE = (
    "django.core.files.storage.filesystem.FileSystemStorage._open",
    "django.core.files.storage.filesystem.FileSystemStorage._save",
    "django.core.files.storage.filesystem.FileSystemStorage.delete",
    "django.core.files.storage.filesystem.FileSystemStorage.exists",
    "botocore.client.BaseClient._make_api_call",
    "django.core.mail.backends.locmem.EmailBackend.send_messages",
    "django.core.mail.backends.smtp.EmailBackend.send_messages",
    "django.core.mail.backends.filebased.EmailBackend.send_messages",
    "http.client.HTTPConnection.putrequest",
    "socket.socket.connect",
    "socket.getaddrinfo",
    "subprocess.Popen.__init__",
)
HEAVY = (
    "django.contrib.auth.hashers.MD5PasswordHasher.encode",  # the hasher of the tests
    "django.contrib.auth.hashers.PBKDF2PasswordHasher.encode",
    "workflows.steps.offer._draw_letter",  # the drawing itself is imported when one is drawn
    "audit.admin.csv_lines.csv_line",
    "segno.make",
)
# What may run under a lock all the same: who calls it, and why. Nothing of the product has to.
ALLOWED = {
    "tests/aws/process.py": "a test looks at its stand-in for AWS while the product writes",
    "tests/hard_cases/test_case_04_process_dies_between_commit_and_start.py:": "it takes the name "
    "of an execution in the engine before the transaction that starts it is committed",
}

_noted: list[str] = []


def holder() -> str | None:
    """Return what others wait for while this thread works; ``None`` for nothing."""
    if db_threads.is_owner():
        return "on a thread that owns a connection"
    wrapper = getattr(connections._connections, "default", None)
    if wrapper is None or all(block._from_testcase for block in wrapper.atomic_blocks):
        return None
    return "in a transaction"


def _watched(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        held = holder()
        if held is not None:
            _note(f"{name} ran {held}")
        return original(*args, **kwargs)

    return watched


def _note(sentence: str) -> None:
    here = f"{settings.BASE_DIR}/"
    calls = [
        f"{frame.filename.removeprefix(here)}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_stack()
        if frame.filename.startswith(here)
        and "/.venv/" not in frame.filename
        and frame.filename != __file__
    ]
    if not any(call.startswith(allowed) for call in calls for allowed in ALLOWED):
        _noted.append("\n  ".join((f"{sentence}:", *calls[-8:])))


def noted() -> list[str]:
    """Return what was noted since the last call."""
    found = _noted.copy()
    _noted.clear()
    return found


def _owner_of(name: str) -> tuple[Any, str]:
    path, _, attribute = name.rpartition(".")
    try:
        return importlib.import_module(path), attribute
    except ModuleNotFoundError:
        module, _, cls = path.rpartition(".")
        return getattr(importlib.import_module(module), cls), attribute


@pytest.fixture(scope="session")
def slow_work_watched() -> Iterator[None]:
    """Wrap the functions for as long as the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*OUTSIDE, *HEAVY):
            owner, attribute = _owner_of(name)
            patch.setattr(owner, attribute, _watched(name, getattr(owner, attribute)))
        yield
