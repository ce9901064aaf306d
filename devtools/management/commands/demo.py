"""``manage.py demo``: run the whole product on this machine, with demo logins."""

import os
import socket
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from accounts.proposals import single_admin_notice
from devtools.database_version import is_of_another_version
from devtools.demo_data import create_demo_data
from devtools.processes import stack_processes
from devtools.supervisor import Supervisor
from functions.local.credentials import credentials_make
from functions.local.private_files import UMASK, private_folder
from loanoffice.demo_logins import PARTNER_KEY, PASSWORD, ROLES


class Command(BaseCommand):
    help = "Run the web app, the embedded durable engine and the sweep; Ctrl-C stops all."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        if not settings.LOANOFFICE_DEMO:
            raise CommandError("The demo runs with demo settings only.")
        for name, port in (("PORT", settings.PORT), ("ENGINE_PORT", settings.ENGINE_PORT)):
            refuse_taken_port(name, port)
        os.umask(UMASK)
        try:
            private_folder(settings.DATA_DIR)
        except PermissionError as error:
            raise CommandError(str(error)) from None
        credentials_make(settings.DATA_DIR)  # its processes read them, and every command here
        refuse_another_version()
        call_command("migrate", verbosity=0)
        self.check(databases=["default"])
        create_demo_data()
        web = f"http://127.0.0.1:{settings.PORT}"
        processes = stack_processes(port=settings.PORT, engine_port=settings.ENGINE_PORT)
        code = Supervisor(processes, write_line=self.stdout.write).run(
            ready=lambda: self.welcome(web)
        )
        if code:
            raise SystemExit(code)

    def welcome(self, web: str) -> None:
        self.stdout.write(
            f"""
Loan Office is running at {web}/admin/
  log in as   {", ".join(ROLES)}
  password    {PASSWORD}
  data        {settings.DATA_DIR} (kept for the next start)
{traces_line()}
Submit an application as a partner:
  curl -s {web}/api/v1/applications/ \\
    -H 'Authorization: Bearer {PARTNER_KEY}' -H 'Content-Type: application/json' \\
    -d '{{"applicant_name": "Alice Johnson", "sin_last4": "1111", "loan_amount": "150000.00"}}'

{single_admin_notice() or "Policies, payouts and keys that may write take two people."}

Ctrl-C stops it.
"""
        )
        self.stdout.flush()


def traces_line() -> str:
    """Say where spans go, if they go anywhere."""
    file = settings.LOANOFFICE_TRACES_FILE
    where = f"{file} (manage.py traces shows them)" if file else "OTEL_EXPORTER_OTLP_ENDPOINT"
    return f"  traces      {where}\n" if settings.LOANOFFICE_TRACES else ""


def refuse_another_version() -> None:
    """Raise ``CommandError`` when another version made the database; nothing is changed."""
    if not is_of_another_version():
        return
    if connection.vendor == "sqlite":
        way_out = f"remove {settings.DATA_DIR}, or choose another folder with LOANOFFICE_DATA"
    else:
        way_out = "choose another one with DATABASE_URL"
    raise CommandError(
        "The demo database was made by another version of Loan Office and cannot be brought to "
        f"this one: {way_out}."
    )


def refuse_taken_port(name: str, port: int) -> None:
    """Raise ``CommandError`` when another process listens there already."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise CommandError(
                f"Something listens on port {port} already. Stop it, or choose another port: "
                f"{name}={port + 100} make demo"
            )
