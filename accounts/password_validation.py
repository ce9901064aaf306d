"""Validators of new passwords, besides Django's own."""

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

# Guessed first, with a year or an exclamation mark behind them.
WORDS = ("loanoffice", "loan", "office", "password", "welcome", "letmein", "admin", "qwerty")
OWN_SIGNS = 8


class OwnWordsValidator:
    """Require eight characters apart from the office's words and the person's own names."""

    def validate(self, password: str, user: User | None = None) -> None:
        names = [user.username, user.first_name, user.last_name] if user is not None else []
        left = password.casefold()
        for word in sorted({*WORDS, *(name.casefold() for name in names)}, key=len, reverse=True):
            left = left.replace(word, "") if len(word) >= 3 else left
        if sum(sign.isalnum() for sign in left) < OWN_SIGNS:
            raise ValidationError(self.get_help_text(), "too-few-words")

    def get_help_text(self) -> str:
        return (
            f"Without your name and the office's words your password needs {OWN_SIGNS} letters "
            "or digits more."
        )


class AnotherPasswordValidator:
    """Require another password: to keep one that leaked gains nothing."""

    def validate(self, password: str, user: User | None = None) -> None:
        if user is not None and user.pk is not None and user.check_password(password):
            raise ValidationError("Choose another password than the present one.", "same-again")

    def get_help_text(self) -> str:
        return "Your password has to be another one than the present one."
