"""Validate the fraud vendor's bodies strictly: three shapes, and no other fields."""

from typing import Any

from rest_framework import serializers

from applications.choices import FraudVerdict
from partners.api.serializers import StrictSerializer, TextField, WholeNumberField

MOST_REASONS = 20


class VerdictField(TextField):
    """A verdict: ``passed`` or ``flagged``."""

    default_error_messages = {
        "verdict": f"Say one of {', '.join(verdict.value for verdict in FraudVerdict)}."
    }

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        if text not in FraudVerdict:
            self.fail("verdict")
        return FraudVerdict(text)


class AnswerSerializer(StrictSerializer):
    type = TextField()
    verdict = VerdictField()
    score = WholeNumberField(required=False, min_value=0, max_value=1000)
    reasons = serializers.ListField(
        child=TextField(max_length=200), required=False, max_length=MOST_REASONS
    )


class HeartbeatSerializer(StrictSerializer):
    type = TextField()


class FailureSerializer(StrictSerializer):
    type = TextField()
    message = TextField(max_length=500)


ANSWER, HEARTBEAT, FAILURE = "answer", "heartbeat", "failure"
SHAPES: dict[str, type[StrictSerializer]] = {
    ANSWER: AnswerSerializer,
    HEARTBEAT: HeartbeatSerializer,
    FAILURE: FailureSerializer,
}


def validated_body(body: dict[str, Any]) -> dict[str, Any]:
    """Validate a body against the shape that its ``type`` names. Raises ``ValidationError``."""
    kind = body.get("type")
    shape = SHAPES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise serializers.ValidationError({"type": [f"Say one of {', '.join(SHAPES)}."]})
    serializer = shape(data=body)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
