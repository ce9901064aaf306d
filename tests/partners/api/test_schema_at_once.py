"""The OpenAPI document when several threads ask for it first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from partners.api import schema_view


def test_threads_that_ask_at_once_make_the_document_once(monkeypatch: pytest.MonkeyPatch) -> None:
    schema_view.document.forget()
    made: list[int] = []
    ready = threading.Barrier(8, timeout=60)

    def get_schema(self: SchemaGenerator, **kwargs: Any) -> dict[str, Any]:
        made.append(threading.get_ident())
        threading.Event().wait(0.05)  # long enough for the others to ask meanwhile
        return {"made": len(made)}

    def ask(number: int) -> dict[str, Any]:
        ready.wait()
        return schema_view.document()

    monkeypatch.setattr(SchemaGenerator, "get_schema", get_schema)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
    finally:
        schema_view.document.forget()

    assert answers == [{"made": 1}] * 8
    assert len(made) == 1
