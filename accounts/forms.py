"""Forms of sign-in. They read the input; services check it."""

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.db import transaction
from django.http import HttpRequest

from accounts.errors import PasswordRefused
from accounts.services import sessions, sign_in


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autocapitalize": "off",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )


class AgainForm(forms.Form):
    """Proof of who acts, asked for again: a code of the second factor, or the password."""

    typed = forms.CharField(max_length=200, strip=False)

    def __init__(self, *args: Any, has_factor: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed"].label = "Code of your app" if has_factor else "Your password"
        self.fields["typed"].help_text = (
            "Six digits, or one of your recovery codes. A code is taken once."
            if has_factor
            else "The one that you sign in with."
        )
        self.fields["typed"].widget = (
            CodeForm.base_fields["code"].widget
            if has_factor
            else forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True})
        )


class OwnPasswordForm(AdminPasswordChangeForm):
    """Django's own form, with an audit entry, and a limit on tries of the old password."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        try:
            sign_in.password_check(request=self.request, user=self.user, password=old)
        except PasswordRefused as refused:
            raise forms.ValidationError(str(refused), code="password_incorrect") from refused
        return old

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002
        user = super().save(commit)
        sign_in.password_changed(user=user)
        sessions.sessions_end_others(user=user, this=self.request.session.session_key)
        return user
