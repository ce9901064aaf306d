"""Name whoever runs a command on the host, who has no account here."""

import getpass
import os


def host_actor() -> str:
    """Return what an entry says of a command's user: ``host command (alice)``."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        name = f"uid {os.getuid()}"
    return f"host command ({name})"
