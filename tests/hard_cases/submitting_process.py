"""``python -m tests.hard_cases.submitting_process USERNAME WHEN``: submits, and is killed.

WHEN is ``before-commit`` (everything is written, nothing committed), ``after-commit`` (all
committed, the start has not left) or ``never``. The process sends itself SIGKILL.
"""

import os
import signal
import sys

import django
from django.db import transaction


def die() -> None:
    """``kill -9``: no time for a last word."""
    os.kill(os.getpid(), signal.SIGKILL)


def main(username: str, when: str) -> None:
    django.setup()
    from django.contrib.auth.models import User  # noqa: PLC0415

    from tests.casework import submit  # noqa: PLC0415

    user = User.objects.get(username=username)
    with transaction.atomic():
        if when == "after-commit":
            transaction.on_commit(die)  # runs before the hook that would send the start
        submit(user)
        if when == "before-commit":
            die()


if __name__ == "__main__":
    main(*sys.argv[1:])
