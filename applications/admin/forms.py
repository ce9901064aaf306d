"""Forms of an application: its fields, a withdrawal, an upload. Services judge what was typed."""

from typing import TYPE_CHECKING, Any

from django import forms

from applications.file_types import FILE_TYPES
from applications.models import LoanApplication
from applications.services.documents import UPLOADED_KINDS, largest_text
from applications.services.notes import LONGEST_NOTE
from core.admin.forms import show_refusal

if TYPE_CHECKING:
    ApplicationModelForm = forms.ModelForm[LoanApplication]
else:
    ApplicationModelForm = forms.ModelForm

FOR_THE_APPLICANT = "The applicant and the partner read this."


class ApplicationForm(ApplicationModelForm):
    """A new application, a draft, or the contact details of an open application."""

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
        # Skips the model's constraints: the service's messages are better.
        return self.cleaned_data

    def typed(self) -> dict[str, Any]:
        """Return the arguments of the service: the fields of the application."""
        return {name: value for name, value in self.cleaned_data.items() if name != "read_version"}

    def refuse(self, errors: dict[str, list[str]]) -> None:
        show_refusal(self, errors)


class WithdrawForm(forms.Form):
    reason = forms.CharField(
        label="Reason (optional)",
        help_text=FOR_THE_APPLICANT,
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "reason"}),
    )


class UploadForm(forms.Form):
    """A file for an application; the service checks it."""

    kind = forms.ChoiceField(
        choices=[("", "Choose a kind"), *((kind.value, kind.label) for kind in UPLOADED_KINDS)]
    )
    file = forms.FileField(
        allow_empty_file=True,
        widget=forms.ClearableFileInput(
            attrs={"accept": ",".join(kind.media_type for kind in FILE_TYPES)}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = f"A PDF, a PNG or a JPEG of at most {largest_text()}."


class NoteForm(forms.Form):
    """A note for colleagues; the service checks it."""

    text = forms.CharField(
        label="New note",
        required=False,  # the service says what is missing
        help_text=(
            "Contact details, income and SIN do not belong here: colleagues read it who may not "
            "see them. To notify somebody, write @ and their user name."
        ),
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "maxlength": LONGEST_NOTE}),
    )
