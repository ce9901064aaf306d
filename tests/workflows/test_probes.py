"""Questions to the outside end with their time, and are not asked twice at once."""

import threading
from collections.abc import Iterator

import pytest

from workflows.probes import Answer, answers_in


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """An event that lets a question end; set after the test, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


def refuse() -> None:
    raise ConnectionError("No route to host")


def test_answer_has_its_value_and_an_error_its_sentence() -> None:
    found = answers_in(30, {"yes": lambda: 42, "no": refuse})

    assert (found["yes"].value, found["yes"].error) == (42, "")
    assert found["no"] == Answer(error="No route to host.")


def test_question_that_hangs_is_left_and_not_asked_again_until_it_ends(
    held: threading.Event,
) -> None:
    asked = []

    def hang() -> str:
        asked.append(threading.current_thread())
        held.wait(60)
        return "late"

    first = answers_in(0.01, {"hangs": hang})
    second = answers_in(30, {"hangs": hang, "other": lambda: "at once"})

    assert first["hangs"].error == "No answer within 0.01 s."
    assert second["hangs"].error == "The question before has not been answered yet."
    assert second["other"].value == "at once"
    (thread,) = asked
    assert thread.daemon
    held.set()
    thread.join(30)
    assert answers_in(30, {"hangs": hang})["hangs"].value == "late"
