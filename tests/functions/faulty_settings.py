"""The local settings, for an engine on a disk that refuses every so-manieth write."""

import os

from functions.local.database import Database
from loanoffice.settings.local import *  # noqa: F403
from tests.functions.local.faults import FaultyConnection

FaultyConnection.disk.begin(every=int(os.environ["ENGINE_FAILS_EVERY"]))
Database.connection_class = FaultyConnection
