"""Forms of decisions. Services judge what was typed."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from django import forms

from applications.admin.forms import FOR_THE_APPLICANT
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import DeclineReason
from reviews.services import decline_reasons

if TYPE_CHECKING:
    DeclineReasonFormBase = forms.ModelForm[DeclineReason]
else:
    DeclineReasonFormBase = forms.ModelForm

IN_OWN_WORDS = (
    "Added to the reason. The applicant and the partner read this too; staff find it with the "
    "decision."
)


class DeclineReasonForm(DeclineReasonFormBase):
    """A reason of the catalogue; it fits at least one kind of task."""

    kinds = forms.MultipleChoiceField(
        label="For", choices=TaskKind.choices, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = DeclineReason
        fields: list[str] = []  # the admin names them


class ReasonForm(forms.Form):
    """A decision. A decline needs a reason of the catalogue, own words, or both."""

    reason_code = forms.ChoiceField(label="Reason", help_text=FOR_THE_APPLICANT, required=False)
    reason = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60, "class": "reason"}),
    )

    def __init__(
        self, *args: Any, outcome: Outcome, kinds: Collection[TaskKind], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.declines = outcome == Outcome.DECLINE
        self.catalogue: dict[str, DeclineReason] = {}
        words = self.fields["reason"]
        if not self.declines:
            del self.fields["reason_code"]
            words.label, words.help_text = "Note (optional)", "Kept with the decision, for staff."
            return
        self.catalogue = {found.code: found for found in decline_reasons.reasons_for(kinds)}
        if self.catalogue:
            words.label, words.help_text = "In your own words", IN_OWN_WORDS
            choices = [(code, found.text) for code, found in self.catalogue.items()]
            cast("forms.ChoiceField", self.fields["reason_code"]).choices = [
                ("", "Choose a reason"),
                *choices,
            ]
        else:
            del self.fields["reason_code"]
            words.label, words.help_text = "Reason", FOR_THE_APPLICANT

    def clean(self) -> dict[str, Any]:
        """Check the reason for the form; the service checks it again, under the lock."""
        typed = self.cleaned_data
        if not self.declines or self.errors:
            return typed
        code, words = typed.get("reason_code", ""), typed["reason"]
        # A page that was rendered by the previous release has no such field.
        if "reason_code" in self.fields and "reason_code" in self.data and not code:
            self.add_error("reason_code", "Choose a reason.")
        elif not words and (not code or self.catalogue[code].asks_for_text):
            self.add_error("reason", decline_reasons.OWN_WORDS)
        return typed

    @property
    def given(self) -> dict[str, str]:
        """The reason, as arguments of the service."""
        typed = self.cleaned_data
        return {"reason": typed["reason"], "reason_code": typed.get("reason_code", "")}


class DecideForm(ReasonForm):
    """One decision of one task."""

    version = forms.IntegerField(widget=forms.HiddenInput)


class BulkDecideForm(ReasonForm):
    """One decision of many tasks; each row carries the version that was read."""

    # The same form sent twice is the same bulk decision.
    run = forms.UUIDField(widget=forms.HiddenInput, required=False, initial=uuid4)
