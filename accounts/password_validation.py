"""What a new password may not be, besides what Django's own validators refuse."""

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError


class AnotherPasswordValidator:
    """It has to be another one: who changes a password that leaked gains nothing otherwise."""

    def validate(self, password: str, user: User | None = None) -> None:
        if user is not None and user.pk is not None and user.check_password(password):
            raise ValidationError("Choose another password than the present one.", "same-again")

    def get_help_text(self) -> str:
        return "Your password has to be another one than the present one."
