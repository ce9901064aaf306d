"""``manage.py story REFERENCE``: tell everything about one application, for support."""

from argparse import ArgumentParser
from typing import Any, override

from django.core.management.base import BaseCommand, CommandError

from applications.models import LoanApplication
from applications.references import reference_of
from applications.story import application_of, story_noted
from audit.host import host_actor
from loanoffice.story import story_of
from loanoffice.story_formats import FORMATS


class Command(BaseCommand):
    help = (
        "Tell everything about one application in the order of time: people, steps, deliveries, "
        "payout, webhooks, incidents, requests and traces. What is personal is masked, and the "
        "audit log says who asked."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "reference", help="Of the application, such as LOAN-8K3PX7QD; LOAN- may be left out."
        )
        parser.add_argument(
            "--format", choices=FORMATS, default="text", help="text (default), json or markdown."
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        reference, form = reference_of(options["reference"]), options["format"]
        try:
            application = application_of(reference)
        except LoanApplication.DoesNotExist:
            raise CommandError(f"There is no application {reference}.") from None
        told = FORMATS[form](story_of(application))
        story_noted(application=application, who=host_actor(), form=form)
        self.stdout.write(told)
