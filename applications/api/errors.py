"""API errors of uploads and document links."""

from rest_framework import exceptions

from partners.api.errors import BodyTooLarge, Malformed


class MalformedUpload(Malformed):
    """A multipart body that cannot be read."""

    default_code = "malformed-multipart"


class UploadTooLarge(BodyTooLarge):
    default_detail = "The file is too large."


class LinkExpired(exceptions.APIException):
    status_code = 410
    default_detail = "The link has expired; list the documents again for a new one."
    default_code = "link-expired"
