"""OpenAPI descriptions of documents. Each name decorates one view method."""

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema

from applications.api.document_serializers import (
    DocumentPageSerializer,
    DocumentSerializer,
    NewDocumentSerializer,
)
from applications.api.errors import LinkExpired
from applications.file_types import FILE_TYPES
from applications.services.documents import WRONG_TYPE, largest_text
from partners.api.openapi import parameters
from partners.api.openapi.problems import NOT_FOUND, POSTING, READING, conflict, describe, problem
from partners.api.serializers import PageQuerySerializer

NO_BOUNDARY = "Invalid boundary in multipart: None"
describe("invalid-document", f"file: {WRONG_TYPE}", {"file": [WRONG_TYPE]})
describe("link-expired", LinkExpired.default_detail)
describe("malformed-multipart", f"The body is not multipart/form-data: {NO_BOUNDARY}", {})


DOCUMENT = {
    "document_id": "proof_of_income-5b1f0c7a9d3e4f60812c3d4e5f607182",
    "kind": "proof_of_income",
    "name": "Pay slip October.pdf",
    "content_type": "application/pdf",
    "size": 48213,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "created_at": "2026-11-23T09:02:11Z",
}
LINKED = {
    **DOCUMENT,
    "url": "https://media.example.com/applications/proof_of_income-5b1f0c7a.pdf?X-Amz-Expires=300",
    "url_expires_at": "2026-11-23T09:15:00Z",
}
LINK_MINUTES = int(settings.LOANOFFICE_DOCUMENT_LINK_LIFE.total_seconds() // 60)
LISTED = f"""What you sent and the letters that we made, oldest first, each with a link to it.

A link needs no key, is always a download, and is good for {LINK_MINUTES} minutes: list again for
new ones, and keep none. Staff are given what staff brought as well."""
UPLOADED = f"""Add a file to an application that is open.

One file a request, of at most {settings.LOANOFFICE_DOCUMENT_BYTES:,} bytes ({largest_text()}): what
fits into one request to API Gateway with its frame. A larger one is refused before it is read; a
far larger one (from about 6 MB on) API Gateway itself refuses, with a 413 of its own form. What the
file is, its content says: a PDF, a PNG or a JPEG; a name or a declared type that says otherwise is
refused. An application takes up to {settings.LOANOFFICE_DOCUMENTS_MOST} files. A file is kept as it
is, and is not searched for viruses.

Under an `Idempotency-Key` a retry is the same request when kind, name and content are the same,
whatever the boundary."""
MEDIA_TYPES = [each.media_type for each in FILE_TYPES]
# What generators of clients know as bytes, and what is sent to whoever accepts nothing else.
OCTET_STREAM = "application/octet-stream"
DOWNLOAD_HEADERS = [
    OpenApiParameter(name, str, OpenApiParameter.HEADER, response=[200], description=text)
    for name, text in (
        ("Content-Disposition", "Always `attachment`, with the document's name."),
        ("X-Content-Type-Options", "Always `nosniff`."),
        ("Cache-Control", "Always with `no-store`."),
    )
]
LIST_LOCATION = OpenApiParameter(
    "Location",
    str,
    OpenApiParameter.HEADER,
    response=[201],
    description="The address of the list that the document is in.",
)
CONTENT: dict[Any, Any] = {
    (200, media_type): OpenApiResponse(OpenApiTypes.BINARY, description="The content.")
    for media_type in (*MEDIA_TYPES, OCTET_STREAM)
}

documents_list = extend_schema(
    operation_id="listDocuments",
    summary="List an application's documents",
    description=LISTED,
    tags=["documents"],
    parameters=[PageQuerySerializer, *parameters.COMMON_HEADERS],
    responses={
        200: DocumentPageSerializer,
        **READING,
        **NOT_FOUND,
        **problem(400, "invalid-request"),
    },
    examples=[parameters.response("One page", parameters.page([LINKED]))],
)
document_upload = extend_schema(
    operation_id="uploadDocument",
    summary="Send a document",
    description=UPLOADED,
    tags=["documents"],
    parameters=[*parameters.POST_HEADERS, LIST_LOCATION],
    request={
        "multipart/form-data": OpenApiRequest(
            NewDocumentSerializer, encoding={"file": {"contentType": ", ".join(MEDIA_TYPES)}}
        )
    },
    responses={
        201: DocumentSerializer,
        **READING,
        **POSTING,
        **NOT_FOUND,
        **problem(
            400,
            "invalid-document",
            "invalid-request",
            "malformed-multipart",
            "idempotency-key-invalid",
        ),
        **conflict("wrong-state", "too-many-documents"),
    },
    examples=[parameters.response("Kept", DOCUMENT, 201)],
)
document_download = extend_schema(
    operation_id="downloadDocument",
    summary="Follow a document's link",
    tags=["documents"],
    parameters=[*parameters.REQUEST_ID_HEADERS, *DOWNLOAD_HEADERS],
    responses={
        **CONTENT,
        **NOT_FOUND,
        **problem(410, "link-expired"),
        **problem(500, "internal-error"),
    },
)
