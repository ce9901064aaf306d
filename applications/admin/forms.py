"""The forms of the application's pages. They read what was typed; services judge it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS

from applications.file_types import FILE_TYPES
from applications.models import DeclineReason, LoanApplication
from applications.services import reasons
from applications.services.documents import UPLOADED_KINDS, largest_said
from applications.vocabulary import Outcome, TaskKind

if TYPE_CHECKING:
    ApplicationModelForm = forms.ModelForm[LoanApplication]
else:
    ApplicationModelForm = forms.ModelForm

FOR_THE_APPLICANT = "The applicant and the partner read this."
IN_OWN_WORDS = (
    "Added to the reason. The applicant and the partner read this too; staff find it with the "
    "decision."
)


class ApplicationForm(ApplicationModelForm):
    """A new application, a draft, or the contact details of an open case."""

    # The version that was read: an edit made on another one is refused.
    read_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = LoanApplication
        fields: list[str] = []  # the admin names them

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.fields["read_version"].initial = self.instance.version

    def clean(self) -> dict[str, Any]:
        # Not the model form's own: constraints speak of databases, the service of loans.
        return self.cleaned_data

    def typed(self) -> dict[str, Any]:
        """What a service takes: the fields without the form's own."""
        return {name: value for name, value in self.cleaned_data.items() if name != "read_version"}

    def refuse(self, errors: dict[str, list[str]]) -> None:
        show_refusal(self, errors)


class ReasonForm(forms.Form):
    """An answer. To decline takes a reason of the catalogue, own words, or both."""

    reason_code = forms.ChoiceField(label="Reason", help_text=FOR_THE_APPLICANT, required=False)
    reason = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60, "class": "reason"}),
    )

    def __init__(
        self, *args: Any, outcome: Outcome, kinds: Iterable[TaskKind], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.declines = outcome == Outcome.DECLINE
        self.catalogue: dict[str, DeclineReason] = {}
        words = self.fields["reason"]
        if not self.declines:
            del self.fields["reason_code"]
            words.label, words.help_text = "Note (optional)", "Kept with the decision, for staff."
            return
        self.catalogue = {found.code: found for found in reasons.reasons_for(kinds)}
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
        """What the form can say; the service judges the reason again, under the lock."""
        typed = self.cleaned_data
        if not self.declines or self.errors:
            return typed
        code, words = typed.get("reason_code", ""), typed["reason"]
        # A page that was drawn by the release before has no such field: its words stand alone.
        if "reason_code" in self.fields and "reason_code" in self.data and not code:
            self.add_error("reason_code", "Choose a reason.")
        elif not words and (not code or self.catalogue[code].asks_for_text):
            self.add_error("reason", reasons.OWN_WORDS)
        return typed

    @property
    def given(self) -> dict[str, str]:
        """What a service takes."""
        typed = self.cleaned_data
        return {"reason": typed["reason"], "reason_code": typed.get("reason_code", "")}


class DecideForm(ReasonForm):
    """One answer to one task."""

    version = forms.IntegerField(widget=forms.HiddenInput)


class BulkDecideForm(ReasonForm):
    """One answer to many tasks; each row carries the version that was read."""

    # The same form sent twice is the same run.
    run = forms.UUIDField(widget=forms.HiddenInput, required=False, initial=uuid4)


class WithdrawForm(forms.Form):
    reason = forms.CharField(
        label="Reason (optional)",
        help_text=FOR_THE_APPLICANT,
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "reason"}),
    )


class UploadForm(forms.Form):
    """A file for a case. What is wrong with it, the service says."""

    kind = forms.ChoiceField(
        choices=[("", "---------"), *((kind.value, kind.label) for kind in UPLOADED_KINDS)]
    )
    file = forms.FileField(
        allow_empty_file=True,
        widget=forms.ClearableFileInput(
            attrs={"accept": ",".join(kind.media_type for kind in FILE_TYPES)}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = f"A PDF, a PNG or a JPEG of at most {largest_said()}."


def show_refusal(form: forms.BaseForm, errors: dict[str, list[str]]) -> None:
    """Show a service's field errors; one of a field that is not here stands on top."""
    for name, said in errors.items():
        for sentence in said:
            form.add_error(name if name in form.fields else NON_FIELD_ERRORS, sentence)
