"""Keep the credentials of the embedded engine: a file of the data folder, for its owner only.

The demo makes them at its start. Every process that has the same folder signs with them, and the
engine refuses what is not signed with them: another user of this machine can reach the port and
cannot read the file. Imports neither Django nor the engine, because the settings read the file.
"""

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "engine-credentials.json"


@dataclass(frozen=True)
class Credentials:
    """Values of ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``."""

    access_key: str
    secret_key: str


def credentials_read(folder: Path) -> Credentials | None:
    """Return the credentials of this data folder, ``None`` when none were made.

    Raises ``ValueError`` for a file that holds something else.
    """
    path = folder / FILE
    try:
        read = json.loads(path.read_text())
        return Credentials(access_key=read["access_key"], secret_key=read["secret_key"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} holds no credentials of the engine; remove it.") from error


def credentials_make(folder: Path) -> Credentials:
    """Return the credentials of this data folder, made now if there are none.

    The file appears whole, so that nobody reads half of it, and its mode is 0600.
    """
    made = Credentials(access_key="local", secret_key=secrets.token_hex(32))
    descriptor, name = tempfile.mkstemp(dir=folder)  # its mode is 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(made), file)
        os.link(name, folder / FILE)
    except FileExistsError:  # made before, or by another process just now
        made = credentials_read(folder) or made
    finally:
        Path(name).unlink()
    return made
