"""A process that ``tests.spawner`` forks is what its environment says, like a fresh one."""

import os
from pathlib import Path

from tests import spawned


def test_folder_for_temporary_files_is_that_of_its_own_environment(tmp_path: Path) -> None:
    code = "import tempfile; print(tempfile.gettempdir())"

    ended = spawned.run(["-c", code], env={**os.environ, "TMPDIR": str(tmp_path)})

    assert ended.stdout.strip() == str(tmp_path)
