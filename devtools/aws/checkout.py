"""Copy the project as git would commit it now, for a deploy that leaves this checkout alone."""

import shutil
import subprocess
from pathlib import Path

from devtools.aws.names import REPOSITORY


def copy_project(folder: Path) -> None:
    """Copy the files that git tracks or would add, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
