"""Base class of every endpoint: access, caching, reading a body, a query, a page."""

from typing import Any, ClassVar

from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.serializers import ValidationError
from rest_framework.views import APIView

from partners.api.authentication import verdict_of
from partners.api.errors import Malformed
from partners.api.idempotency import once
from partners.api.pagination import DEFAULT_SIZE
from partners.api.parsers import name_shown, raw_body
from partners.api.permissions import Access, MayUse
from partners.api.serializers import StrictSerializer


class ApiView(APIView):
    """Base view: who may use it, how it is cached, how bodies are read."""

    permission_classes = [MayUse]
    http_method_names = ["get", "head", "post"]
    access: ClassVar[dict[str, Access]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap ``post``, so that it takes effect once for an ``Idempotency-Key``."""
        super().__init_subclass__(**kwargs)
        if "post" in cls.__dict__:
            cls.post = once(cls.post)  # type: ignore[attr-defined]

    def prepare(self, request: Request, **kwargs: str) -> None:
        """Ask the outside what a POST needs, before its transaction. Most need nothing."""

    def same_body(self, request: Request) -> bytes:
        """Return what a retry has to repeat: all of the body. Read before the transaction.

        A multipart upload, whose boundary is another each time, returns what stays the same in it.
        """
        return raw_body(request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # First of all, so that even an invalid call is counted and the
        # answer says what the partner has left.
        self.perform_authentication(request)
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, private=True, no_cache=True)
        patch_vary_headers(response, ["Authorization", "Cookie"])
        verdict = verdict_of(request)
        if verdict is not None:
            response["RateLimit-Limit"] = str(verdict.limit)
            response["RateLimit-Remaining"] = str(verdict.remaining)
            response["RateLimit-Reset"] = str(verdict.reset)
        return response


def body_of(
    request: Request, shape: type[StrictSerializer], *, required: bool = True
) -> dict[str, Any]:
    """Validate the request's body. Raises ``Malformed``, ``ValidationError``."""
    if required and request.stream is None:
        raise Malformed("The body is empty; send a JSON object.")
    return _valid(shape(data=request.data))


def query_of(request: Request, shape: type[StrictSerializer]) -> dict[str, Any]:
    """Validate the request's query; an unknown parameter is refused."""
    _once_each(request.query_params)
    return _valid(shape(data=request.query_params.dict()))


def form_of(request: Request, shape: type[StrictSerializer]) -> dict[str, Any]:
    """Validate the fields and files of a multipart body. Raises ``ValidationError``."""
    given = request.data
    if not isinstance(given, MultiValueDict):
        raise TypeError("the body was not read as a form")
    _once_each(given)
    return _valid(shape(data=given))


def _once_each(given: MultiValueDict[str, Any]) -> None:
    twice = [name_shown(name) for name, values in given.lists() if len(values) > 1]
    if twice:
        raise ValidationError({name: ["Give this once."] for name in twice})


def _valid(serializer: StrictSerializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def paging_of(query: dict[str, Any]) -> dict[str, Any]:
    """Split the paging parameters from a query."""
    return {
        "cursor": query.pop("cursor", None),
        "size": query.pop("page_size", DEFAULT_SIZE),
    }


class NothingHereView(ApiView):
    """Every other path under the prefix: a problem, as everywhere, and no redirect."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        raise NotFound("There is nothing at this address.")
