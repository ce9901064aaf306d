"""``manage.py seed_applications N``: add made-up applications, to try lists at scale.

``devtools.seeding.seed`` says which kinds of applications there are and why.
"""

import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from applications.models import LoanApplication
from devtools.seeding.bulk_insert import analyze
from devtools.seeding.row_builder import ORDER
from devtools.seeding.seed import SeedRequest, SweptDatabase, seed
from lending.errors import NoPolicy

MOST = 5_000_000
MOST_OPEN = 1_000  # what a demo's engine runs within minutes


def whole(lowest: int, highest: int) -> Any:
    """An argument that is a whole number in these limits."""

    def read(text: str) -> int:
        try:
            number = int(text.replace("_", "").replace(",", ""))
        except ValueError:
            raise ArgumentTypeError(f"“{text}” is not a whole number") from None
        if not lowest <= number <= highest:
            raise ArgumentTypeError(f"{number:,} is not from {lowest:,} to {highest:,}")
        return number

    return read


class Command(BaseCommand):
    help = "Add made-up applications to a demo or test database; run again, it adds more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", metavar="N", type=whole(1, MOST), help="How many to add.")
        parser.add_argument(
            "--seed", type=int, default=1, help="The same seed, the same applications (default 1)."
        )
        parser.add_argument(
            "--days",
            type=whole(1, 36_500),
            default=730,
            help="How far back they go (default 730: two years).",
        )
        parser.add_argument(
            "--open",
            type=whole(0, MOST_OPEN),
            default=None,
            metavar="K",
            help="How many of the N were submitted just now; a running demo carries them on "
            "(default 1 in 100, at most 50).",
        )
        parser.add_argument(
            "--standing",
            type=whole(0, MOST),
            default=0,
            metavar="K",
            help="How many of the N wait for people by their rows alone, unknown to any engine "
            "(default 0). Only for a database that no sweep looks at.",
        )

    def handle(self, *args: Any, number: int, **options: Any) -> None:  # noqa: ARG002
        if not settings.LOANOFFICE_DEMO:
            raise CommandError("Made-up applications are for demo and test settings only.")
        try:
            from tqdm import tqdm  # noqa: PLC0415 - only here, and not in the Lambda package
        except ImportError:
            raise CommandError(
                "seed_applications needs tqdm, which is part of the local extra: "
                "pip install -r requirements/local.txt"
            ) from None
        opened = options["open"]
        if opened is None:
            opened = min(number // 100, 50, number - min(options["standing"], number))
        closed = number - opened - options["standing"]
        if closed < 0:
            raise CommandError("--open and --standing together are more than N.")
        request = SeedRequest(
            closed=closed,
            open=opened,
            standing=options["standing"],
            days=options["days"],
            seed=options["seed"],
        )
        if LoanApplication._meta.db_table not in connection.introspection.table_names():
            raise CommandError("The database has no tables yet: run manage.py migrate first.")
        began = time.monotonic()
        try:
            with tqdm(total=number, unit=" applications", file=self.stderr) as bar:
                rows = seed(request, on_batch=bar.update)
            analyze(ORDER)
        except (SweptDatabase, NoPolicy) as refused:
            raise CommandError(str(refused)) from None
        took = time.monotonic() - began
        self.stdout.write(
            f"{number:,} applications ({closed:,} closed, {opened:,} open, "
            f"{request.standing:,} standing), {rows:,} rows in {took:.1f} s."
        )
