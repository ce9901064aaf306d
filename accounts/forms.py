"""Forms of sign-in. They read the input; services check it."""

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.db import transaction

from accounts.services import sign_in


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


class OwnPasswordForm(AdminPasswordChangeForm):
    """Django's own form, with an audit entry for the change."""

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002
        user = super().save(commit)
        sign_in.password_changed(user=user)
        return user
