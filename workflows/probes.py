"""Ask the outside a few questions at once, for so many seconds and no longer.

Each question has a thread of its own, which no page waits for once the time is over. Until it
ends the question is not asked again, so a service that never answers costs a process one thread.
The questions touch no database.
"""

import contextvars
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

logger = logging.getLogger(__name__)

ADDRESS = re.compile(r":?\s*\"?https?://[^\s\"]+\"?")

type Question = Callable[[], object]


@dataclass(frozen=True)
class Answer:
    """The answer to a question, after how many seconds; ``error`` says why there is none."""

    value: object = None
    seconds: float = 0.0
    error: str = ""


class _Asking:
    """The threads that are under way, by question."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads: dict[str, threading.Thread] = {}


_asking = _Asking()


def answers_in(seconds: float, questions: Mapping[str, Question]) -> dict[str, Answer]:
    """Ask all questions side by side, and return an answer for each when the time is over."""
    ends_at = time.monotonic() + seconds
    found: dict[str, Answer] = {}
    started = {name: _ask(name, question, found) for name, question in questions.items()}
    for thread in started.values():
        if thread is not None:
            thread.join(max(0.0, ends_at - time.monotonic()))
    answered = dict(found)  # what comes later is not looked at
    return {
        name: answered.get(name) or Answer(error=_silence(seconds, is_asked=thread is None))
        for name, thread in started.items()
    }


def sentence_of(error: str) -> str:
    """Return an error's text as a page shows it: without addresses, which the log has."""
    text = ADDRESS.sub("", error).strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _silence(seconds: float, *, is_asked: bool) -> str:
    if is_asked:
        return "The question before has not been answered yet."
    return f"No answer within {seconds:g} s."


def _ask(name: str, question: Question, found: dict[str, Answer]) -> threading.Thread | None:
    """Start the thread of a question; ``None`` while the one before is still under way."""

    def ask() -> None:
        began = time.monotonic()
        try:
            value = question()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the page shows
            logger.warning("No answer", extra={"asked": name, "why": str(error)})
            found[name] = Answer(error=sentence_of(str(error)) or type(error).__name__)
        else:
            found[name] = Answer(value=value, seconds=time.monotonic() - began)

    with _asking.lock:
        before = _asking.threads.get(name)
        if before is not None and before.is_alive():
            return None
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(ask,), name=f"probe-{name}", daemon=True)
        _asking.threads[name] = thread
        thread.start()
    return thread
