"""Form helpers that admin pages of several apps use."""

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS


class MomentField(forms.DateTimeField):
    """Form field for a time to the minute, in the office's time zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


def show_refusal(form: forms.BaseForm, errors: dict[str, list[str]]) -> None:
    """Show a service's field errors; one of a field that the form lacks is shown on top."""
    for name, sentences in errors.items():
        for sentence in sentences:
            form.add_error(name if name in form.fields else NON_FIELD_ERRORS, sentence)
