"""``manage.py database_login``: make the login of the web function and the durable functions."""

from typing import Any, override

import environ
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from audit.database_login import Login, LoginRefused, login_apply

VARIABLE = "LOANOFFICE_APP_DATABASE_URL"


class Command(BaseCommand):
    help = (
        f"Create the database login that {VARIABLE} names, or set its password, and give it what "
        "the product needs and no more. Run as the owner of the tables, after each migrate."
    )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        url: str = settings.LOANOFFICE_APP_DATABASE_URL
        if not url:
            raise CommandError(f"{VARIABLE} is not set: it names the login, with its password.")
        named = environ.Env.db_url_config(url)
        if not named.get("USER") or not named.get("PASSWORD"):
            raise CommandError(f"{VARIABLE} has to name a user and a password.")
        owner = settings.DATABASES["default"]
        if named["USER"] == owner.get("USER"):
            raise CommandError(f"{VARIABLE} names {named['USER']}, whom DATABASE_URL names, too.")
        try:
            said = login_apply(Login(name=named["USER"], password=named["PASSWORD"]))
        except (LoginRefused, DatabaseError) as error:
            raise CommandError(
                f"The login {named['USER']} could not be made: {str(error).strip()}"
            ) from error
        self.stdout.write(said)
