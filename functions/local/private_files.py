"""Keep the files of a data folder from other users of this machine."""

import contextlib
import os
import stat
from pathlib import Path

FOLDER_MODE = 0o700
OTHERS = stat.S_IRWXG | stat.S_IRWXO
UMASK = OTHERS  # files 0600, folders 0700


def private_folder(folder: Path) -> None:
    """Make a folder, and take its files from everybody but their owner.

    Raises ``PermissionError`` for a folder that is somebody else's or shared on purpose (sticky),
    such as ``/tmp``.
    """
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_mode & OTHERS:
        if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
            raise PermissionError(
                f"{folder} belongs to others as well: choose a folder of your own."
            )
        folder.chmod(FOLDER_MODE)
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # removed by its owner meanwhile
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
