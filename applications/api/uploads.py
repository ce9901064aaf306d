"""Reads a multipart upload: one file, streamed to a temporary file, refused as early as can be.

Nothing of a file is held in memory but a piece at a time. Its size is refused by the declared
length of the body before any of it is read, and while it is read when that is no help.
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
from applications.services.documents import largest_said
from partners.api.parsers import CUT_SHORT, declared_length, name_shown

FILE_FIELD = "file"
TEXT_FIELDS = frozenset({"kind"})
FRAME = 64 * 1024  # bytes of a body that may stand around the file


class UploadParser(BaseParser):
    """``multipart/form-data`` with at most one file, in the field ``file``.

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
    """A file under the name that it was sent with, all of it.

    Django's own makes the suffix of the temporary file from that name, and cuts a long one so
    that only a suffix is left.
    """

    def __init__(self, sent_as: str, content_type: str, charset: str | None) -> None:
        super().__init__("upload", content_type, 0, charset)
        self.sent_as = sent_as


class OneFile(TemporaryFileUploadHandler):
    """Takes the one file there may be. Raises ``ValidationError``, ``UploadTooLarge``."""

    sent: SentFile | None = None
    size = 0

    def new_file(self, field_name: str, file_name: str, content_type: str, *told: Any) -> None:
        if field_name in TEXT_FIELDS:
            raise ValidationError({field_name: ["Send this as text, without a file name."]})
        if field_name != FILE_FIELD:
            raise ValidationError({name_shown(field_name): ["There is no such field."]})
        if self.sent is not None:
            raise ValidationError({FILE_FIELD: ["Send one file."]})
        self.file = self.sent = SentFile(file_name, content_type, charset=told[1])

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.size += len(raw_data)
        if self.size > settings.LOANOFFICE_DOCUMENT_BYTES:
            raise too_large()
        super().receive_data_chunk(raw_data, start)

    def discard(self) -> None:
        """Let go of a file that nobody will read, and delete it."""
        if self.sent is not None:
            self.sent.close()

    def upload_interrupted(self) -> None:
        self.discard()


class Watched:
    """A stream that remembers how it ended: Django's parser takes half a body for a whole one."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream
        self._tail = b""

    def read(self, size: int = -1) -> bytes:
        part: bytes = self._stream.read(size)
        self._tail = (self._tail + part)[-512:]
        return part

    def ends_with_boundary(self, media_type: str) -> bool:
        """Whether the last boundary was the last thing that came."""
        boundary = parse_header_parameters(media_type)[1].get("boundary", "")
        return self._tail.rstrip(b"\r\n").endswith(f"--{boundary}--".encode())


def _parsed(
    stream: IO[Any], meta: dict[str, Any], handler: OneFile
) -> tuple[QueryDict, "MultiValueDict[str, UploadedFile[Any]]"]:
    body = Watched(stream)
    try:
        found = MultiPartParser(meta, cast("Any", body), [handler], "utf-8").parse()
    except UnreadablePostError as error:
        raise MalformedUpload(CUT_SHORT) from error
    except MultiPartParserError as error:
        raise MalformedUpload(f"The body is not multipart/form-data: {error}") from error
    if not body.ends_with_boundary(meta["CONTENT_TYPE"]):
        raise MalformedUpload(CUT_SHORT)
    return found


def too_large() -> UploadTooLarge:
    return UploadTooLarge(f"The file is larger than {largest_said()}.")
