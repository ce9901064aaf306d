"""Parse a multipart upload: one file, streamed to a temporary file and refused early.

Only one chunk of a file is in memory at a time. A file that is too large is refused by the
declared length of the body before reading, or while reading when that length does not show it.
"""

from collections.abc import Mapping
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.http.request import UnreadablePostError
from django.utils.datastructures import MultiValueDict
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.request import Request

from applications.api.errors import MalformedUpload, UploadTooLarge
from applications.api.multipart import MultipartStream
from applications.services.documents import largest_text
from partners.api.parsers import CUT_SHORT, declared_length, name_shown

FILE_FIELD = "file"
TEXT_FIELDS = frozenset({"kind"})
FRAME = 64 * 1024  # bytes of the body besides the file: boundaries, headers and text fields


class UploadParser(BaseParser):
    """Parser of ``multipart/form-data`` with at most one file, in the field ``file``.

    Raises ``UploadTooLarge`` (413), ``MalformedUpload`` or ``ValidationError`` (400), and what
    Django raises for too many fields.
    """

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request: Request = (parser_context or {})["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type or ""}
        if declared_length(meta.get("CONTENT_LENGTH")) > settings.LOANOFFICE_DOCUMENT_BYTES + FRAME:
            raise too_large()
        handler = OneFile()
        try:
            return DataAndFiles(*_parsed(stream, meta, handler))
        except BaseException:
            handler.discard()
            raise


class SentFile(TemporaryUploadedFile):
    """An uploaded file with the complete name that it was sent with.

    Django's class makes the suffix of the temporary file from that name, and truncates a long
    name so that only a suffix is left.
    """

    def __init__(self, sent_as: str, content_type: str, charset: str | None) -> None:
        super().__init__("upload", content_type, 0, charset)
        self.sent_as = sent_as


class OneFile(TemporaryFileUploadHandler):
    """Upload handler for at most one file. Raises ``ValidationError``, ``UploadTooLarge``."""

    sent: SentFile | None = None
    size = 0

    def new_file(self, field_name: str, file_name: str, content_type: str, *details: Any) -> None:
        if field_name in TEXT_FIELDS:
            raise ValidationError({field_name: ["Send this as text, without a file name."]})
        if field_name != FILE_FIELD:
            raise ValidationError({name_shown(field_name): ["There is no such field."]})
        if self.sent is not None:
            raise ValidationError({FILE_FIELD: ["Send one file."]})
        self.file = self.sent = SentFile(file_name, content_type, charset=details[1])

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.size += len(raw_data)
        if self.size > settings.LOANOFFICE_DOCUMENT_BYTES:
            raise too_large()
        super().receive_data_chunk(raw_data, start)

    def discard(self) -> None:
        """Close the temporary file, which deletes it."""
        if self.sent is not None:
            self.sent.close()

    def upload_interrupted(self) -> None:
        self.discard()


def _parsed(
    stream: IO[Any], meta: dict[str, Any], handler: OneFile
) -> tuple[QueryDict, "MultiValueDict[str, UploadedFile[Any]]"]:
    boundary = parse_header_parameters(meta["CONTENT_TYPE"])[1].get("boundary", "")
    body = MultipartStream(stream, boundary)
    try:
        found = MultiPartParser(meta, cast("Any", body), [handler], "utf-8").parse()
    except UnreadablePostError as error:
        raise MalformedUpload(CUT_SHORT) from error
    except MultiPartParserError as error:
        raise MalformedUpload(f"The body is not multipart/form-data: {error}") from error
    if not body.is_complete:
        raise MalformedUpload(CUT_SHORT)
    return found


def too_large() -> UploadTooLarge:
    return UploadTooLarge(f"The file is larger than {largest_text()}.")
