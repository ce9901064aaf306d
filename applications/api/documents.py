"""API views of documents: upload one, list them with links, download one without a key."""

import json
from typing import Any

from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_cache_control
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from applications import selectors
from applications.api.document_links import NOT_THERE, document_at, link_to
from applications.api.document_serializers import (
    DocumentSerializer,
    LinkedDocumentSerializer,
    NewDocumentSerializer,
)
from applications.api.errors import MalformedUpload
from applications.api.openapi import documents as operations
from applications.api.uploads import SentFile, UploadParser
from applications.models import Document
from applications.services import access_log, documents
from applications.services.documents import Upload
from partners.api.authentication import key_of, partner_of, staff_of
from partners.api.base import ApiView, form_of, paging_of, query_of
from partners.api.negotiation import OneForm
from partners.api.pagination import OLDEST_FIRST, link, page_of
from partners.api.permissions import Access
from partners.api.serializers import PageQuerySerializer

READ_FILES = Access(scope="applications:read", staff=(access_log.REVEAL,))
SEND_FILES = Access(scope="documents:write")


class DocumentsView(ApiView):
    access = {"GET": READ_FILES, "POST": SEND_FILES}
    parser_classes = [UploadParser]
    # The file of a POST, once it is validated.
    upload: Upload | None = None

    @operations.documents_list
    def get(self, request: Request, reference: str) -> Response:
        """List the partner's files and our letters, oldest first, each with a link.

        Staff also get the files added by staff, and their read is recorded in the audit log.
        """
        paging = paging_of(query_of(request, PageQuerySerializer))
        rows = selectors.documents(reference=reference, partner=partner_of(request))
        page = page_of(rows, keys=OLDEST_FIRST, **paging)
        if partner_of(request) is None:
            access_log.documents_linked(
                reference=reference, documents=page.rows, user=staff_of(request)
            )
        return Response(
            {
                "results": [self._linked(row, reference) for row in page.rows],
                "next": link(request, page.next),
                "previous": link(request, page.previous),
            }
        )

    @operations.document_upload
    def post(self, request: Request, reference: str) -> Response:
        """Add a file to an open application; the OpenAPI document lists the accepted files.

        The size limit is what Lambda's six megabytes leave for a file in base64. A file is
        stored unchanged, and is not scanned for viruses.
        """
        if self.upload is None:
            raise RuntimeError("a POST has been read before it is done")
        document = documents.document_add(
            reference=reference,
            upload=self.upload,
            partner=partner_of(request),
            partner_key=key_of(request),
        )
        path = reverse("api:documents", args=[reference])
        return Response(
            DocumentSerializer(document).data,
            status=201,
            headers={"Location": request.build_absolute_uri(path)},
        )

    def same_body(self, request: Request) -> bytes:
        """Return kind, name and content hash. Reads and stores the file, before the transaction.

        Ownership of the application is checked first, so that other partners get no other error.
        """
        reference = self.kwargs["reference"]
        selectors.application_get(reference=reference, partner=partner_of(request))
        self.upload = _read(request)
        documents.upload_store(reference=reference, upload=self.upload)
        return json.dumps([self.upload.kind.value, self.upload.name, self.upload.sha256]).encode()

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Delete the file unless a document took it, and close the temporary file."""
        if self.upload is not None:
            documents.upload_settle(reference=self.kwargs["reference"], upload=self.upload)
            self.upload.content.close()
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, no_store=True)  # a link gives access to its document
        return response

    def _linked(self, row: Document, reference: str) -> dict[str, Any]:
        found = link_to(row, reference=reference, request=self.request)
        shown = {**DocumentSerializer(row).data, "url": found.url}
        expires_at = LinkedDocumentSerializer().fields["url_expires_at"]
        return {**shown, "url_expires_at": expires_at.to_representation(found.expires_at)}


class DocumentFileView(ApiView):
    """Download through a link where storage signs none. The signature is the only credential."""

    authentication_classes = []
    permission_classes = []
    content_negotiation_class = OneForm  # the content type is that of the file

    @operations.document_download
    def get(self, request: Request, token: str) -> HttpResponseBase:
        """The content of a document. Only by a `url` of the list, and where storage has none.

        Of its own type, or as `application/octet-stream` if that is all that is accepted.
        """
        document = document_at(token)
        try:
            content = document.file.open("rb")
        except FileNotFoundError as missing:
            raise NotFound(NOT_THERE) from missing
        return FileResponse(
            content,
            as_attachment=True,
            filename=document.original_name,
            content_type=(
                operations.OCTET_STREAM
                if request.headers.get("Accept") == operations.OCTET_STREAM
                else document.content_type
            ),
            headers={"X-Content-Type-Options": "nosniff"},
        )

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, no_store=True)
        return response


def _read(request: Request) -> Upload:
    """Read and validate the upload. Raises the errors of its form and its file."""
    if request.stream is None:
        raise MalformedUpload("The body is empty; send a file as multipart/form-data.")
    given = form_of(request, NewDocumentSerializer)
    sent: SentFile = given["file"]
    return documents.upload_read(
        kind=given["kind"],
        name=sent.sent_as,
        declared_type=sent.content_type or "",
        content=sent,
    )
