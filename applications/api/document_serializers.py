"""Serializers of uploads and documents."""

from typing import Any

from rest_framework import serializers

from applications.choices import DocumentKind
from applications.services.documents import NOT_A_KIND, UPLOADED_KINDS
from partners.api.serializers import StrictSerializer, moment

UPLOADED = [(kind.value, kind.label) for kind in UPLOADED_KINDS]


class NewDocumentSerializer(StrictSerializer):
    """The fields of ``POST /applications/{reference}/documents/``."""

    kind = serializers.ChoiceField(choices=UPLOADED, error_messages={"invalid_choice": NOT_A_KIND})
    file = serializers.FileField(
        allow_empty_file=True,  # the service reports the error
        help_text="A PDF, a PNG or a JPEG, as its content says; its name and its declared type "
        "may not say otherwise.",
        error_messages={"invalid": "Send this as a file, with a file name."},
    )


class DocumentSerializer(serializers.Serializer[Any]):
    """A ``Document``."""

    document_id = serializers.CharField(
        source="public_id", help_text="No other document of the application has it."
    )
    kind = serializers.ChoiceField(choices=DocumentKind.choices)
    name = serializers.CharField(
        source="original_name", help_text="As it was sent, without what a name may not have."
    )
    content_type = serializers.CharField(help_text="As the content says.")
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField(help_text="Of the content, in hex.")
    created_at = moment()


class LinkedDocumentSerializer(DocumentSerializer):
    """A ``Document`` and a link to its content, which anybody may follow until it expires."""

    url = serializers.URLField(
        help_text="Follow it as it is: without a key, and to whatever host it names. It is "
        "always a download."
    )
    url_expires_at = moment()


class DocumentPageSerializer(serializers.Serializer[Any]):
    results = LinkedDocumentSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
