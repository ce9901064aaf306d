"""Forms of sign-in. They read the input; services check it."""

from typing import TYPE_CHECKING, Any, Self

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth.forms import SetPasswordForm, SetPasswordMixin, UserCreationForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from accounts.errors import PasswordRefused, TooManyCodes
from accounts.services import second_factor, sessions, sign_in
from core.locking import locked

if TYPE_CHECKING:
    SetsPassword = SetPasswordMixin[User]
else:
    SetsPassword = SetPasswordMixin


USERNAME_HELP = "Up to 150 letters, digits and @ . + - _"


def name_password_fields(form: forms.BaseForm, first: str, second: str) -> None:
    """Label the two fields of a new password as all pages do."""
    form.fields[first].label = "New password"
    form.fields[second].label = "The same again"
    form.fields[second].help_text = ""


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


class InvitationForm(SetPasswordForm[User]):
    """A new password twice, and a code of the second factor that is set up with it."""

    code = CodeForm.base_fields["code"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_password_fields(self, "new_password1", "new_password2")
        self.fields["code"].widget.attrs.pop("autofocus")
        self.fields["new_password1"].widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, Any] | None:
        try:
            second_factor.wait_check(user=self.user)
        except TooManyCodes as refused:  # before the validators, which hash the password
            self.add_error("code", str(refused))
            return self.cleaned_data
        return super().clean()


class NewUserForm(UserCreationForm[User]):
    """A person without a password, who is invited to set one."""

    password1: Any = None
    password2: Any = None
    email = forms.EmailField(
        label="E-mail", help_text="The invitation goes here, and mails about the account."
    )

    class Meta(UserCreationForm.Meta):
        fields = ("username", "first_name", "last_name", "email")

    def set_password_and_save(self, user: User, *, commit: bool = True) -> User:
        user.set_unusable_password()
        if commit:
            user.save()
        return user


# In the session of who just accepted an invitation: the name to sign in with.
INVITED_NAME = "invited_name"


class SignInForm(AdminAuthenticationForm):
    """Django's own form, with the name of who just accepted an invitation filled in."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": "This name and this password do not go together. Capitals count.",
    }

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        name = "" if request is None else request.session.get(INVITED_NAME, "")
        if name:
            self.initial.setdefault("username", name)
            del self.fields["username"].widget.attrs["autofocus"]
            self.fields["password"].widget.attrs["autofocus"] = True


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


class HashedBefore(SetsPassword):
    """Hash the new password when it is validated: one hash takes half a second.

    So ``is_valid`` has to be called before the transaction that saves the form, or all who write
    would wait for it.
    """

    cleaned_data: dict[str, Any]
    errors: Any
    hashed = ""

    def validate_password_for_user(self, user: User, *args: str, **fields: str) -> None:
        super().validate_password_for_user(user, *args, **fields)
        (typed,) = (*args, *fields.values()) or ("password2",)
        if not self.errors and (password := self.cleaned_data.get(typed)):
            self.hashed = make_password(password)

    def set_password_and_save(self, user: User, *_: Any, **__: Any) -> User:
        user.password = self.hashed
        user.save(update_fields=["password"])
        return user


class OwnPasswordForm(AdminPasswordChangeForm, HashedBefore):
    """Django's own form, with an audit entry, and a limit on tries of the old password."""

    checked = ""  # the hash of the password that was typed as the old one

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_password_fields(self, "new_password1", "new_password2")
        self.request = request

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        try:
            self.checked = sign_in.password_check(
                request=self.request, user=self.user, password=old
            )
        except PasswordRefused as refused:
            raise forms.ValidationError(str(refused), code="password_incorrect") from refused
        return old

    def look_again(self, **_: object) -> Self:
        """Refuse the old password if somebody changed it since. In the transaction that saves."""
        if self.is_valid():
            person = locked(User.objects.all()).get(pk=self.user.pk)
            if person.password != self.checked:
                self.add_error("old_password", str(PasswordRefused()))
        return self

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002
        user = super().save(commit)
        sign_in.password_changed(user=user)
        sessions.sessions_end_others(user=user, this=self.request.session.session_key)
        return user
