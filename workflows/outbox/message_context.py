"""Name the work of a message in the log lines of whoever sends it, also in another thread."""

import contextvars
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from audit.tracing import request_id, work_on
from workflows.models import OutboxMessage


def work_on_message(message: OutboxMessage) -> AbstractContextManager[None]:
    """Name the execution of a message, or its application. It reads nothing."""
    known = message._state.fields_cache
    execution, application = known.get("execution"), known.get("application")
    if execution is not None:
        return work_on(execution=execution.name, request=request_id.get() or execution.request_id)
    return work_on(application=application.reference if application is not None else "")


def in_context(send: Callable[[], Any]) -> Callable[[], Any]:
    """Let a thread of a pool have the caller's ids for its log lines."""
    return partial(contextvars.copy_context().run, send)
