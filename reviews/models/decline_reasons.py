"""The catalogue of decline reasons."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from reviews.choices import TaskKind

CODE = RegexValidator(r"^[A-Z][A-Z0-9_]*\Z", "Capital letters, digits and underscores.")


class DeclineReason(models.Model):
    """One decline reason. Never deleted, only retired, because decisions refer to its code.

    A decision stores a copy of the text, so a later change of the text changes no decision.
    """

    code = models.CharField(
        max_length=40,
        unique=True,
        validators=[CODE],
        help_text="Partners read it too, such as INCOME_NOT_VERIFIED. It never changes.",
    )
    text = models.CharField(
        max_length=300, help_text="One sentence, which the applicant and the partner read."
    )
    kinds = models.JSONField("for", help_text="What may be declined for it.")
    asks_for_text = models.BooleanField(
        "asks for words",
        default=False,
        help_text="It says too little alone: who decides has to add their own words.",
    )
    active = models.BooleanField(default=True, help_text="Untick to retire it.")
    position = models.PositiveSmallIntegerField(default=100, help_text="Lowest first.")

    class Meta:
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kinds=[]),
                name="decline_reason_fits_something",
                violation_error_message="Say what it is a reason for.",
            ),
        ]

    def __str__(self) -> str:
        return self.text

    def fits(self, kind: TaskKind) -> bool:
        return kind.value in self.kinds
