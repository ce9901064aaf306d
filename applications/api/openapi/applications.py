"""OpenAPI descriptions of applications. Each name decorates one view method."""

from drf_spectacular.utils import OpenApiResponse, extend_schema

from applications.api.examples import DECLINED, EVENTS, FUNDED, NEW, PENDING, SUBMITTED, WITHDRAWN
from applications.api.serializers import (
    ApplicationPageSerializer,
    ApplicationQuerySerializer,
    ApplicationSerializer,
    EventPageSerializer,
    NewApplicationSerializer,
)
from partners.api.openapi import parameters, problems
from partners.api.serializers import EmptySerializer, PageQuerySerializer

problems.describe(
    "invalid-application",
    "loan_amount: Enter an amount above zero.",
    {"loan_amount": ["Enter an amount above zero."]},
)


applications_list = extend_schema(
    operation_id="listApplications",
    summary="List applications",
    tags=["applications"],
    parameters=[ApplicationQuerySerializer, *parameters.COMMON_HEADERS],
    responses={
        200: ApplicationPageSerializer,
        **problems.READING,
        **problems.problem(400, "invalid-request"),
    },
    examples=[parameters.response("One page", parameters.page([PENDING]))],
)
application_submit = extend_schema(
    operation_id="submitApplication",
    summary="Submit an application",
    tags=["applications"],
    parameters=[*parameters.POST_HEADERS, parameters.LOCATION],
    request=NewApplicationSerializer,
    responses={
        201: ApplicationSerializer,
        **problems.READING,
        **problems.POSTING,
        **problems.invalid("invalid-application"),
        **problems.conflict("no-policy", "duplicate-external-id"),
    },
    examples=[parameters.request("A loan", NEW), parameters.response("Submitted", SUBMITTED, 201)],
)
application_read = extend_schema(
    operation_id="readApplication",
    summary="Read an application",
    tags=["applications"],
    parameters=[*parameters.COMMON_HEADERS, parameters.IF_NONE_MATCH, parameters.ETAG],
    responses={
        200: ApplicationSerializer,
        304: OpenApiResponse(description="Your copy is the current one."),
        **problems.READING,
        **problems.NOT_FOUND,
    },
    examples=[
        parameters.response("Waiting for a manager", PENDING),
        parameters.response("Funded", FUNDED),
        parameters.response("Declined", DECLINED),
    ],
)
events_list = extend_schema(
    operation_id="listEvents",
    summary="Follow an application's timeline",
    tags=["applications"],
    parameters=[PageQuerySerializer, *parameters.COMMON_HEADERS],
    responses={
        200: EventPageSerializer,
        **problems.READING,
        **problems.NOT_FOUND,
        **problems.problem(400, "invalid-request"),
    },
    examples=[parameters.response("One page", parameters.page(EVENTS))],
)
application_withdraw = extend_schema(
    operation_id="withdrawApplication",
    summary="Withdraw an application",
    tags=["applications"],
    parameters=parameters.POST_HEADERS,
    request=EmptySerializer,
    responses={
        200: ApplicationSerializer,
        **problems.READING,
        **problems.POSTING,
        **problems.NOT_FOUND,
        **problems.invalid("invalid-request"),
        **problems.conflict("wrong-state", "payout-in-doubt"),
    },
    examples=[parameters.response("Withdrawn", WITHDRAWN)],
)
