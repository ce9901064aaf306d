"""The endpoints: read the request's shape, call one service or selector, write the answer."""

import hashlib
from typing import Any

from django.urls import reverse
from django.utils.http import parse_etags, quote_etag
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from applications import selectors
from applications.api.authentication import partner_of, staff_of
from applications.api.base import ApiView, body_of, note_read, paging_of, query_of
from applications.api.document import document
from applications.api.openapi import applications as operations
from applications.api.pagination import NEWEST_FIRST, OLDEST_FIRST, link, page_of
from applications.api.permissions import DECIDE, READ, WRITE
from applications.api.problems import flat
from applications.api.serializers import (
    ApplicationQuerySerializer,
    ApplicationSerializer,
    EmptySerializer,
    EventSerializer,
    NewApplicationSerializer,
    NewDecisionSerializer,
    PageQuerySerializer,
)
from applications.errors import InvalidApplication
from applications.services import drafting, review, viewing
from applications.vocabulary import Outcome


class ApplicationsView(ApiView):
    access = {"GET": READ, "POST": WRITE}

    @operations.applications_list
    def get(self, request: Request) -> Response:
        """Own applications, newest first."""
        query = query_of(request, ApplicationQuerySerializer)
        paging = paging_of(query)
        page = page_of(
            selectors.cases(partner=partner_of(request), **query), keys=NEWEST_FIRST, **paging
        )
        found = [selectors.case_of(row) for row in page.rows]
        if partner_of(request) is None:
            viewing.applications_read(
                user=staff_of(request),
                references=[case.reference for case in found],
                query=request.query_params.dict(),
            )
        return Response(
            {
                "results": ApplicationSerializer(found, many=True).data,
                "next": link(request, page.next),
                "previous": link(request, page.previous),
            }
        )

    @operations.application_submit
    def post(self, request: Request) -> Response:
        """Submit an application; its workflow starts."""
        partner = partner_of(request)
        try:
            fields = body_of(request, NewApplicationSerializer)
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

    @operations.application_read
    def get(self, request: Request, reference: str) -> Response:
        """One application. 304 when the client's copy is the current one."""
        case = selectors.case_get(reference=reference, partner=partner_of(request))
        note_read(request, case.reference)
        data = ApplicationSerializer(case).data
        tag = quote_etag(hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:32])
        known = parse_etags(request.headers.get("If-None-Match", ""))
        if known == ["*"] or tag in {etag.removeprefix("W/") for etag in known}:
            return Response(status=304, headers={"ETag": tag})
        return Response(data, headers={"ETag": tag})


class EventsView(ApiView):
    access = {"GET": READ}

    @operations.events_list
    def get(self, request: Request, reference: str) -> Response:
        """The timeline, oldest first."""
        paging = paging_of(query_of(request, PageQuerySerializer))
        rows = selectors.events(reference=reference, partner=partner_of(request))
        page = page_of(rows, keys=OLDEST_FIRST, **paging)
        note_read(request, reference)
        return Response(
            {
                "results": EventSerializer(page.rows, many=True).data,
                "next": link(request, page.next),
                "previous": link(request, page.previous),
            }
        )


class WithdrawView(ApiView):
    access = {"POST": WRITE}

    @operations.application_withdraw
    def post(self, request: Request, reference: str) -> Response:
        """Stop the case at the applicant's wish; doing it again changes nothing."""
        partner = partner_of(request)
        body_of(request, EmptySerializer, required=False)
        case = selectors.case_get(reference=reference, partner=partner)
        drafting.application_withdraw(reference=case.reference, partner=partner)
        case = selectors.case_get(reference=reference, partner=partner)
        return Response(ApplicationSerializer(case).data)


class DecisionView(ApiView):
    access = {"POST": DECIDE}

    @operations.application_decide
    def post(self, request: Request, reference: str) -> Response:
        """Decide what is asked about a case: a manager's approval or a fraud review."""
        body = body_of(request, NewDecisionSerializer)
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

    @operations.hidden
    def get(self, request: Request) -> Response:  # noqa: ARG002
        return Response(document())


class NothingHereView(ApiView):
    """Every other path under the prefix: a problem, as everywhere, and no redirect."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        raise NotFound("There is nothing at this address.")
