"""Serializers of the request bodies of decisions and of answers to an offer."""

from partners.api.serializers import StrictSerializer, TextField, WholeNumberField, YesNoField


class AcceptanceSerializer(StrictSerializer):
    """The body of ``POST /applications/{reference}/offer/accept/``; may be left out."""

    offer_id = TextField(
        max_length=30,
        required=False,
        help_text="The offer that the applicant read; 409 when it is not the current one.",
    )


class RefusalSerializer(AcceptanceSerializer):
    """The body of ``POST /applications/{reference}/offer/decline/``; may be left out."""

    reason = TextField(
        max_length=2000,
        required=False,
        allow_blank=True,
        help_text="In the applicant's words; it stands among the reasons of the decision.",
    )


class NewDecisionSerializer(StrictSerializer):
    """The body of ``POST /applications/{reference}/decision/``."""

    approved = YesNoField()
    reason = TextField(
        max_length=2000,
        required=False,
        allow_blank=True,
        help_text="Required to decline, unless a `reason_code` says enough.",
    )
    reason_code = TextField(
        max_length=40,
        required=False,
        allow_blank=True,
        help_text="A reason to decline of the catalogue, such as INCOME_NOT_VERIFIED; "
        "`reason` adds to it.",
    )
    version = WholeNumberField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The version that you read; 409 when it is no longer the current one.",
    )
