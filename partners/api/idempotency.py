"""Run every POST as one transaction, and once for an ``Idempotency-Key``.

``once`` wraps a view's ``post``; ``ApiView`` does it, so that no endpoint can
forget it. The view reads the request, calls services and answers; it may be called a second
time when the database rolled the first back.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Protocol

from django.db import OperationalError
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from core.locking import is_contention
from partners.api.authentication import caller_of
from partners.api.errors import KeyNotValid, TryAgain
from partners.services.idempotency import Answer, Call, call_answer

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
LONGEST_KEY = 255  # characters
KEY_SENTENCE = f"Send 1 to {LONGEST_KEY} printable ASCII characters, or leave the header out."


class WithBody(Protocol):
    """A view that returns the parts of a body that a repeated POST has to share."""

    def prepare(self, request: Request, **kwargs: str) -> None: ...

    def same_body(self, request: Request) -> bytes: ...

    def get_renderer_context(self) -> dict[str, Any]: ...


def once(post: Callable[..., Response]) -> Callable[..., HttpResponse]:
    """Wrap a view's ``post``. Raises ``KeyNotValid``, ``TryAgain``, and see ``call_answer``."""

    @wraps(post)
    def handler(view: WithBody, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        call = Call(
            caller=caller_of(request),
            key=_key(request),
            method=str(request.method),
            path=request.path_info,  # the same at a stage's own address and on the domain
            body=view.same_body(request),
        )

        def work() -> Answer:
            return _rendered(view, request, post(view, request, *args, **kwargs))

        view.prepare(request, **kwargs)
        return _response(retry_on_conflict(partial(call_answer, call=call, work=work)))

    return handler


def _key(request: Request) -> str:
    """The key, empty when the header is absent. Raises ``KeyNotValid``."""
    given = request.headers.get(HEADER)
    if given is None:
        return ""
    key = given.strip(" \t")
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise KeyNotValid(HEADER, KEY_SENTENCE)
    return key


def _rendered(view: WithBody, request: Request, response: Response) -> Answer:
    """The answer as it is sent now and for every repetition."""
    response.accepted_renderer = request.accepted_renderer
    response.accepted_media_type = request.accepted_media_type
    response.renderer_context = view.get_renderer_context()  # type: ignore[attr-defined]
    response.render()
    return Answer(
        status=response.status_code,
        body=response.content.decode(),
        headers=dict(response.items()),
    )


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body.encode(), status=answer.status, headers=answer.headers)
    if answer.replayed:
        response[REPLAYED_HEADER] = "true"
    return response


def retry_on_conflict[T](work: Callable[[], T]) -> T:
    """Run a transaction; once more when the database rolled it back in a conflict.

    It was rolled back as a whole, so running it again is safe. Raises ``TryAgain``
    when that happens twice.
    """
    try:
        return work()
    except OperationalError as error:
        if not is_contention(error):
            raise
    try:
        return work()
    except OperationalError as error:
        if not is_contention(error):
            raise
        raise TryAgain from error
