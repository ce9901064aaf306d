"""API views of applications: parse the request, call one service or selector, serialize."""

import hashlib

from django.urls import reverse
from django.utils.http import parse_etags, quote_etag
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from applications import selectors
from applications.api.access_log import note_read
from applications.api.openapi import applications as operations
from applications.api.permissions import READ, WRITE
from applications.api.serializers import (
    ApplicationQuerySerializer,
    ApplicationSerializer,
    EventSerializer,
    NewApplicationSerializer,
)
from applications.errors import InvalidApplication
from applications.services import access_log, intake, withdrawals
from partners.api.authentication import key_of, partner_of, staff_of
from partners.api.base import ApiView, body_of, paging_of, query_of
from partners.api.pagination import NEWEST_FIRST, OLDEST_FIRST, link, page_of
from partners.api.problems import flat
from partners.api.serializers import EmptySerializer, PageQuerySerializer


class ApplicationsView(ApiView):
    access = {"GET": READ, "POST": WRITE}

    @operations.applications_list
    def get(self, request: Request) -> Response:
        """Own applications, newest first."""
        query = query_of(request, ApplicationQuerySerializer)
        paging = paging_of(query)
        page = page_of(
            selectors.applications(partner=partner_of(request), **query),
            keys=NEWEST_FIRST,
            **paging,
        )
        found = [selectors.application_view(row) for row in page.rows]
        if partner_of(request) is None:
            access_log.applications_read(
                user=staff_of(request),
                references=[application.reference for application in found],
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
        created = intake.application_create_and_submit(
            partner=partner, partner_key=key_of(request), **fields
        )
        application = selectors.application_get(reference=created.reference, partner=partner)
        path = reverse("api:application", args=[application.reference])
        return Response(
            ApplicationSerializer(application).data,
            status=201,
            headers={"Location": request.build_absolute_uri(path)},
        )


class ApplicationView(ApiView):
    access = {"GET": READ}

    @operations.application_read
    def get(self, request: Request, reference: str) -> Response:
        """One application. 304 when the client's copy is the current one."""
        application = selectors.application_get(reference=reference, partner=partner_of(request))
        note_read(request, application.reference)
        data = ApplicationSerializer(application).data
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

    def prepare(self, request: Request, **kwargs: str) -> None:
        """Ask the payout rail, if an order was ever sent: it is outside of the transaction."""
        partner = partner_of(request)
        application = selectors.application_get(reference=kwargs["reference"], partner=partner)
        self.asked = withdrawals.withdrawal_prepare(reference=application.reference)

    @operations.application_withdraw
    def post(self, request: Request, reference: str) -> Response:
        """Stop the application at the applicant's wish; doing it again changes nothing."""
        partner = partner_of(request)
        body_of(request, EmptySerializer, required=False)
        application = selectors.application_get(reference=reference, partner=partner)
        intake.application_withdraw(
            reference=application.reference, partner=partner, asked=self.asked
        )
        application = selectors.application_get(reference=reference, partner=partner)
        return Response(ApplicationSerializer(application).data)
