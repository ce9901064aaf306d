"""OpenAPI descriptions of applications. Each name decorates one view method."""

from drf_spectacular.utils import OpenApiResponse, extend_schema

from applications.api.examples import (
    DECLINED,
    EVENTS,
    FUNDED,
    NEW,
    PENDING,
    SUBMITTED,
    WITHDRAWN,
)
from applications.api.serializers import (
    ApplicationPageSerializer,
    ApplicationQuerySerializer,
    ApplicationSerializer,
    EventPageSerializer,
    NewApplicationSerializer,
)
from partners.api.openapi.parameters import (
    COMMON_HEADERS,
    ETAG,
    IF_NONE_MATCH,
    LOCATION,
    POST_HEADERS,
    page,
    request,
    response,
)
from partners.api.openapi.problems import (
    NOT_FOUND,
    POSTING,
    READING,
    conflict,
    describe,
    invalid,
    problem,
)
from partners.api.serializers import EmptySerializer, PageQuerySerializer

describe(
    "invalid-application",
    "loan_amount: Enter an amount above zero.",
    {"loan_amount": ["Enter an amount above zero."]},
)


applications_list = extend_schema(
    operation_id="listApplications",
    summary="List applications",
    tags=["applications"],
    parameters=[ApplicationQuerySerializer, *COMMON_HEADERS],
    responses={200: ApplicationPageSerializer, **READING, **problem(400, "invalid-request")},
    examples=[response("One page", page([PENDING]))],
)
application_submit = extend_schema(
    operation_id="submitApplication",
    summary="Submit an application",
    tags=["applications"],
    parameters=[*POST_HEADERS, LOCATION],
    request=NewApplicationSerializer,
    responses={
        201: ApplicationSerializer,
        **READING,
        **POSTING,
        **invalid("invalid-application"),
        **conflict("no-policy"),
    },
    examples=[request("A loan", NEW), response("Submitted", SUBMITTED, 201)],
)
application_read = extend_schema(
    operation_id="readApplication",
    summary="Read an application",
    tags=["applications"],
    parameters=[*COMMON_HEADERS, IF_NONE_MATCH, ETAG],
    responses={
        200: ApplicationSerializer,
        304: OpenApiResponse(description="Your copy is the current one."),
        **READING,
        **NOT_FOUND,
    },
    examples=[
        response("Waiting for a manager", PENDING),
        response("Funded", FUNDED),
        response("Declined", DECLINED),
    ],
)
events_list = extend_schema(
    operation_id="listEvents",
    summary="Follow an application's timeline",
    tags=["applications"],
    parameters=[PageQuerySerializer, *COMMON_HEADERS],
    responses={
        200: EventPageSerializer,
        **READING,
        **NOT_FOUND,
        **problem(400, "invalid-request"),
    },
    examples=[response("One page", page(EVENTS))],
)
application_withdraw = extend_schema(
    operation_id="withdrawApplication",
    summary="Withdraw an application",
    tags=["applications"],
    parameters=POST_HEADERS,
    request=EmptySerializer,
    responses={
        200: ApplicationSerializer,
        **READING,
        **POSTING,
        **NOT_FOUND,
        **invalid("invalid-request"),
        **conflict("wrong-state"),
    },
    examples=[response("Withdrawn", WITHDRAWN)],
)
