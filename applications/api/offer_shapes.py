"""What may stand in the body of an answer to an offer."""

from applications.api.serializers import StrictSerializer, TextField


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
