"""Confirm that who acts is the person who signed in: the code again, or the password."""

from django.contrib.auth.models import User
from django.http import HttpRequest

from accounts.selectors import second_factor_of
from accounts.services.second_factor import code_check
from accounts.services.sign_in import password_check
from accounts.step_up import mark_stepped_up
from audit.models import Action
from audit.services import entry_record


def step_up(*, request: HttpRequest, user: User, typed: str, before: str) -> None:
    """Check a code of the second factor, or the password of who has none, and mark the session.

    ``before`` is the page that asked. Raises ``CodeRefused``, ``TooManyCodes``,
    ``PasswordRefused``.
    """
    if second_factor_of(user) is not None:
        code_check(user=user, code=typed)
        how = "second factor"
    else:
        password_check(request=request, user=user, password=typed)
        how = "password"
    mark_stepped_up(request.session)
    entry_record(
        action=Action.STEPPED_UP,
        message=f"Confirmed with the {how} that it is them.",
        actor=user,
        target=user,
        details={"before": before},
    )
