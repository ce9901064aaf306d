"""Create a folder, a database and two ports for one run. Nothing else is ever touched."""

import os
import random
import secrets
import shutil
import socket
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, connections

from applications.models import LoanApplication
from workflows import engine
from workflows.providers.catalogue import PAYOUT, URL_VARIABLES

ENGINE_URL = "AWS_ENDPOINT_URL_LAMBDA"
# Below the range that systems give to outgoing connections: a port that a killed process
# leaves is not taken by one of those before the process is back.
PORTS = range(20000, 30000)
# The providers of a run are the simulators, whatever the shell's environment says.
PROVIDERS = (*URL_VARIABLES.values(), "LOANOFFICE_FRAUD_VENDOR_URL")


class DatabaseInUse(Exception):
    """The database holds applications; a chaos run refuses it."""


class Sandbox:
    """Folder, database and ports of one run: ``create`` it, run in it, ``discard`` it.

    In between, this process's own connections and its engine client use it.
    """

    def __init__(self, *, latency: float) -> None:
        self.folder = Path(tempfile.gettempdir()) / f"loanoffice-chaos-{secrets.token_hex(4)}"
        self.port, self.engine_port = free_ports(2)
        self.base = f"http://127.0.0.1:{self.port}"
        self.rail_url = ""  # of a rail over HTTP; else the simulator
        self.engine = f"http://127.0.0.1:{self.engine_port}"
        self.on_server = connection.vendor == "postgresql"
        self.database = (
            f"loanoffice_chaos_{os.getpid()}_{secrets.token_hex(4)}"
            if self.on_server
            else str(self.folder / "loanoffice.sqlite3")
        )
        self._latency = latency
        self._created = False
        self._before = (str(connection.settings_dict["NAME"]), os.environ.get(ENGINE_URL))

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the stack's processes."""
        if self.on_server:
            served = urlsplit(os.environ["DATABASE_URL"])
            url = served._replace(path=f"/{self.database}").geturl()
        else:
            url = f"sqlite:///{self.database}"
        return {
            **os.environ,
            **dict.fromkeys(PROVIDERS, ""),
            URL_VARIABLES[PAYOUT]: self.rail_url,
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "DATABASE_URL": url,
            "LOANOFFICE_DATA": str(self.folder),
            "LOANOFFICE_SIMULATED_LATENCY": str(self._latency),
            "PORT": str(self.port),
            "ENGINE_PORT": str(self.engine_port),
            "SITE_URL": self.base,
            # Far more often than in real life: the reconciler has to race with everything.
            "LOANOFFICE_RECONCILE_SECONDS": "5",
            # No rate limit: a run measures what the product can take.
            "LOANOFFICE_PARTNER_RATE": "",
            ENGINE_URL: self.engine,
        }

    def create(self) -> None:
        """Create the database and connect this process to it.

        Raises ``DatabaseInUse`` when the one that ``DATABASE_URL`` names is in use.
        """
        if self.on_server:
            refuse_database_in_use()
            self._created = True  # set first: an interrupt may come in between
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(self.database)}")
        self.folder.mkdir(mode=0o700)
        self._connect(self.database, self.engine)

    @property
    def kept(self) -> str:
        """Describe where to look afterwards."""
        return f"{self.folder}, database {self.database}" if self.on_server else f"{self.folder}"

    def restore(self) -> None:
        """Reconnect this process as before; database and folder stay for inspection."""
        name, engine_url = self._before
        self._connect(name, engine_url)

    def discard(self) -> None:
        """Remove the database and the folder that were created, after ``restore``."""
        if self._created:
            with connection.cursor() as cursor:
                name = connection.ops.quote_name(self.database)
                cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if self.folder.exists():
            shutil.rmtree(self.folder)

    @staticmethod
    def _connect(database: str, engine_url: str | None) -> None:
        connections.close_all()
        # As Django's own test runner does: every thread's connection reads this.
        settings.DATABASES["default"]["NAME"] = database
        connection.settings_dict["NAME"] = database
        if engine_url is None:
            os.environ.pop(ENGINE_URL, None)
        else:
            os.environ[ENGINE_URL] = engine_url
        engine.forget_client()


def refuse_database_in_use() -> None:
    """Raise ``DatabaseInUse`` when the connected database holds applications."""
    table = LoanApplication._meta.db_table
    if table in connection.introspection.table_names() and LoanApplication.objects.exists():
        raise DatabaseInUse(
            f"The database {connection.settings_dict['NAME']} holds applications. A chaos run "
            "kills processes and makes a database of its own: name another database, or a "
            "server, that is not in use."
        )


def free_ports(number: int) -> list[int]:
    """Find ports on which nothing listens now."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == number:
            return found
    raise RuntimeError("there is no free port")
