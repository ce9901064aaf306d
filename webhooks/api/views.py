"""A partner's webhook events: list them with their deliveries, and send one again."""

from rest_framework.request import Request
from rest_framework.response import Response

from applications.api.permissions import WRITE
from partners.api.authentication import partner_of
from partners.api.base import ApiView, body_of, paging_of, query_of
from partners.api.pagination import NEWEST_FIRST, link, page_of
from partners.api.permissions import Access
from partners.api.serializers import EmptySerializer
from partners.models import Partner
from webhooks import events
from webhooks.api import openapi as operations
from webhooks.api.serializers import WebhookEventQuerySerializer, WebhookEventSerializer

# Staff have the admin's pages, which show more.
READ_OWN = Access(scope="applications:read")


class WebhookEventsView(ApiView):
    access = {"GET": READ_OWN}

    @operations.webhook_events_list
    def get(self, request: Request) -> Response:
        """Own webhook events, newest first."""
        query = query_of(request, WebhookEventQuerySerializer)
        paging = paging_of(query)
        query["type_"] = query.pop("type", None)
        rows = events.events_of(partner=_partner(request), **query)
        page = page_of(rows, keys=NEWEST_FIRST, **paging)
        return Response(
            {
                "results": WebhookEventSerializer(page.rows, many=True).data,
                "next": link(request, page.next),
                "previous": link(request, page.previous),
            }
        )


class ResendView(ApiView):
    access = {"POST": WRITE}

    @operations.webhook_event_resend
    def post(self, request: Request, id: str) -> Response:  # noqa: A002
        """Send an event again to every endpoint that listens now; it keeps its id."""
        partner = _partner(request)
        body_of(request, EmptySerializer, required=False)
        event = events.event_get(public_id=id, partner=partner)
        events.event_resend(event=event, partner=partner)
        event = events.event_get(public_id=id, partner=partner)
        return Response(WebhookEventSerializer(event).data, status=202)


def _partner(request: Request) -> Partner:
    """The partner that is calling; only where ``access`` admits no staff."""
    partner = partner_of(request)
    if partner is None:
        raise TypeError("the caller is not a partner")
    return partner
