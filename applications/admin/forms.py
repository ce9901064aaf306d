"""The forms of the application's pages. They read what was typed; services judge it."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS

from applications.models import LoanApplication
from applications.vocabulary import Outcome

if TYPE_CHECKING:
    ApplicationModelForm = forms.ModelForm[LoanApplication]
else:
    ApplicationModelForm = forms.ModelForm

FOR_THE_APPLICANT = "The applicant and the partner read this."


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


class DecideForm(forms.Form):
    """One answer to one task. To decline takes a reason."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=2000, widget=forms.Textarea(attrs={"rows": 4, "cols": 60, "class": "reason"})
    )

    def __init__(self, *args: Any, outcome: Outcome, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reason_field(self.fields["reason"], outcome)


class BulkDecideForm(forms.Form):
    """One answer to many tasks; each row carries the version that was read."""

    reason = forms.CharField(
        max_length=2000, widget=forms.Textarea(attrs={"rows": 4, "cols": 60, "class": "reason"})
    )

    def __init__(self, *args: Any, outcome: Outcome, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reason_field(self.fields["reason"], outcome)


class WithdrawForm(forms.Form):
    reason = forms.CharField(
        label="Reason (optional)",
        help_text=FOR_THE_APPLICANT,
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "reason"}),
    )


def show_refusal(form: forms.BaseForm, errors: dict[str, list[str]]) -> None:
    """Show a service's field errors; one of a field that is not here stands on top."""
    for name, said in errors.items():
        for sentence in said:
            form.add_error(name if name in form.fields else NON_FIELD_ERRORS, sentence)


def reason_field(field: forms.Field, outcome: Outcome) -> None:
    declines = outcome == Outcome.DECLINE
    field.required = field.widget.is_required = declines
    field.label = "Reason" if declines else "Note (optional)"
    field.help_text = FOR_THE_APPLICANT if declines else "Kept with the decision, for staff."
