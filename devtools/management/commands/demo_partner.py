"""``manage.py demo_partner``: let the demo's partner run all of ``docs/partners.md``."""

from argparse import ArgumentParser
from typing import Any, override

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from core.errors import InvalidFields
from devtools.demo_data import register_endpoint, require_acceptance
from lending.services import policy_current
from loanoffice.demo_logins import PARTNER
from partners.models import Partner

ENDPOINT = "http://127.0.0.1:9002/"
NO_DEMO = "There is no demo here yet. Start `make demo` first, with the same LOANOFFICE_DATA."


class Command(BaseCommand):
    help = (
        "Publish a policy version with which applicants accept their offers, and register a "
        "webhook endpoint of the demo's partner, in the names of the demo's people."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--webhook", default=ENDPOINT, metavar="URL", help="The endpoint (default: %(default)s)"
        )

    @override
    def handle(self, *args: Any, webhook: str, **options: Any) -> None:
        if not settings.LOANOFFICE_DEMO:
            raise CommandError("The demo's partner exists with demo settings only.")
        if not has_demo():
            raise CommandError(NO_DEMO)
        try:
            secret = register_endpoint(webhook)
        except InvalidFields as invalid:
            raise CommandError(str(invalid)) from invalid
        policy = require_acceptance()
        if secret:
            self.stdout.write(f"The webhook endpoint {webhook} is registered. Its secret: {secret}")
        else:
            self.stdout.write(f"The webhook endpoint {webhook} was registered before.")
        if policy is None:
            self.stdout.write(f"{policy_current()} asks applicants to accept their offers already.")
        else:
            self.stdout.write(f"{policy} is in force: applicants are asked to accept their offers.")


def has_demo() -> bool:
    """Tell whether the demo was started on this database, with its tables and its people."""
    try:
        return Partner.objects.filter(name=PARTNER).exists()
    except DatabaseError:  # no tables
        return False
