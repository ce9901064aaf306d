"""The endpoints: read the request's shape, call one service or selector, write the answer."""

import hashlib
from functools import cache
from typing import Any, ClassVar

from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags, quote_etag
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError
from rest_framework.views import APIView

from applications import selectors
from applications.api import schema
from applications.api.authentication import partner_of, staff_of
from applications.api.errors import Malformed
from applications.api.idempotency import once
from applications.api.pagination import DEFAULT_SIZE, NEWEST_FIRST, OLDEST_FIRST, link, page_of
from applications.api.parsers import raw_body
from applications.api.permissions import DECIDE, READ, WRITE, Access, MayUse
from applications.api.problems import flat
from applications.api.serializers import (
    ApplicationQuerySerializer,
    ApplicationSerializer,
    EmptySerializer,
    EventSerializer,
    NewApplicationSerializer,
    NewDecisionSerializer,
    PageQuerySerializer,
    StrictSerializer,
)
from applications.errors import InvalidApplication
from applications.services import drafting, review
from applications.vocabulary import Outcome


class ApiView(APIView):
    """What the endpoints share: who may use them, how they are cached, how bodies are read."""

    permission_classes = [MayUse]
    http_method_names = ["get", "head", "post"]
    access: ClassVar[dict[str, Access]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Whatever an endpoint's ``post`` does, it does once for an ``Idempotency-Key``."""
        super().__init_subclass__(**kwargs)
        if "post" in cls.__dict__:
            cls.post = once(cls.post)  # type: ignore[attr-defined]

    def same_body(self, request: Request) -> bytes:
        """What a retry has to send again: all of it. Read before there is a transaction.

        A multipart upload, whose boundary is another each time, says what is the same in it.
        """
        return raw_body(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, private=True, no_cache=True)
        patch_vary_headers(response, ["Authorization", "Cookie"])
        return response


class ApplicationsView(ApiView):
    access = {"GET": READ, "POST": WRITE}

    @schema.applications_list
    def get(self, request: Request) -> Response:
        """Own applications, newest first."""
        query = _query(request, ApplicationQuerySerializer)
        paging = _paging(query)
        page = page_of(
            selectors.cases(partner=partner_of(request), **query), keys=NEWEST_FIRST, **paging
        )
        found = [selectors.case_of(row) for row in page.rows]
        return Response(
            {
                "results": ApplicationSerializer(found, many=True).data,
                "next": link(request, page.next),
                "previous": link(request, page.previous),
            }
        )

    @schema.application_submit
    def post(self, request: Request) -> Response:
        """Submit an application; its workflow starts."""
        partner = partner_of(request)
        try:
            fields = _body(request, NewApplicationSerializer)
        except ValidationError as invalid:
            raise InvalidApplication(flat(invalid.detail)) from invalid
        application = drafting.application_create_and_submit(partner=partner, **fields)
        case = selectors.case_get(reference=application.reference, partner=partner)
        path = reverse("api:application", args=[case.reference])
        return Response(
            ApplicationSerializer(case).data,
            status=201,
            headers={"Location": request.build_absolute_uri(path)},
        )


class ApplicationView(ApiView):
    access = {"GET": READ}

    @schema.application_read
    def get(self, request: Request, reference: str) -> Response:
        """One application. 304 when the client's copy is the current one."""
        case = selectors.case_get(reference=reference, partner=partner_of(request))
        data = ApplicationSerializer(case).data
        tag = quote_etag(hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:32])
        known = parse_etags(request.headers.get("If-None-Match", ""))
        if known == ["*"] or tag in {etag.removeprefix("W/") for etag in known}:
            return Response(status=304, headers={"ETag": tag})
        return Response(data, headers={"ETag": tag})


class EventsView(ApiView):
    access = {"GET": READ}

    @schema.events_list
    def get(self, request: Request, reference: str) -> Response:
        """The timeline, oldest first."""
        paging = _paging(_query(request, PageQuerySerializer))
        rows = selectors.events(reference=reference, partner=partner_of(request))
        page = page_of(rows, keys=OLDEST_FIRST, **paging)
        return Response(
            {
                "results": EventSerializer(page.rows, many=True).data,
                "next": link(request, page.next),
                "previous": link(request, page.previous),
            }
        )


class WithdrawView(ApiView):
    access = {"POST": WRITE}

    @schema.application_withdraw
    def post(self, request: Request, reference: str) -> Response:
        """Stop the case at the applicant's wish; doing it again changes nothing."""
        partner = partner_of(request)
        _body(request, EmptySerializer, required=False)
        case = selectors.case_get(reference=reference, partner=partner)
        drafting.application_withdraw(reference=case.reference, partner=partner)
        case = selectors.case_get(reference=reference, partner=partner)
        return Response(ApplicationSerializer(case).data)


class DecisionView(ApiView):
    access = {"POST": DECIDE}

    @schema.application_decide
    def post(self, request: Request, reference: str) -> Response:
        """Decide what is asked about a case: a manager's approval or a fraud review."""
        body = _body(request, NewDecisionSerializer)
        outcome = Outcome.APPROVE if body["approved"] else Outcome.DECLINE
        review.task_decide(
            task=selectors.task_to_decide(reference=reference),
            user=staff_of(request),
            outcome=outcome,
            reason=body.get("reason", ""),
            reason_code=body.get("reason_code", ""),
            version=body.get("version"),
        )
        case = selectors.case_get(reference=reference, partner=None)
        return Response(ApplicationSerializer(case).data)


class SchemaView(ApiView):
    """The OpenAPI document, for anybody. It says the same to everybody, so it is made once."""

    authentication_classes = []
    permission_classes = []
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer]

    @schema.hidden
    def get(self, request: Request) -> Response:  # noqa: ARG002
        return Response(_document())


class NothingHereView(ApiView):
    """Every other path under the prefix: a problem, as everywhere, and no redirect."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        raise NotFound("There is nothing at this address.")


@cache
def _document() -> dict[str, Any]:
    from drf_spectacular.generators import SchemaGenerator  # noqa: PLC0415

    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    found: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


def _body(
    request: Request, shape: type[StrictSerializer], *, required: bool = True
) -> dict[str, Any]:
    """The request's body in this shape. Raises ``Malformed``, ``ValidationError``."""
    if required and request.stream is None:
        raise Malformed("The body is empty; send a JSON object.")
    return _valid(shape(data=request.data))


def _query(request: Request, shape: type[StrictSerializer]) -> dict[str, Any]:
    """The request's query in this shape; a parameter that it does not know is refused."""
    twice = [name for name, given in request.query_params.lists() if len(given) > 1]
    if twice:
        raise ValidationError({name: ["Give this once."] for name in twice})
    return _valid(shape(data=request.query_params.dict()))


def _valid(serializer: StrictSerializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _paging(query: dict[str, Any]) -> dict[str, Any]:
    """Take what is about pages out of a query."""
    return {
        "cursor": query.pop("cursor", None),
        "size": query.pop("page_size", DEFAULT_SIZE),
    }
