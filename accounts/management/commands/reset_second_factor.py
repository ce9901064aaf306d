"""``reset_second_factor NAME``: remove a second factor, for the last superuser without a phone."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from accounts.services.second_factor import second_factor_reset


class Command(BaseCommand):
    help = "Remove a person's second factor; they set up another one. It is in the audit log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *_: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']}.")
        second_factor_reset(user=user, by=None)
        self.stdout.write(f"The second factor of {user} is reset.")
