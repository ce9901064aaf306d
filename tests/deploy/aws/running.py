"""Runs a handler from the package that was really uploaded, in a process of its own.

The interpreter sees the unpacked package and Python's own library, nothing of the tests.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HOST = """
import importlib, json, pathlib, sys
package, handler, event, answer = sys.argv[1:]
sys.path.insert(0, package)
module, _, name = handler.rpartition(".")
try:
    result = getattr(importlib.import_module(module), name)(json.loads(event), None)
except Exception as error:
    result = {"errorType": type(error).__name__, "errorMessage": str(error), "failed": True}
pathlib.Path(answer).write_text(json.dumps(result))
"""


def run(package: Path, handler: str, event: str, environment: dict[str, str]) -> dict[str, Any]:
    """Return the handler's result; ``{"errorType", "errorMessage", "failed"}`` if it raises."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        base = getattr(sys, "_base_executable", sys.executable)
        ran = subprocess.run(
            [base, "-I", "-S", "-c", HOST, str(package), handler, event, str(answer)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if not answer.exists():
            return {"errorType": "Runtime.ExitError", "errorMessage": ran.stderr, "failed": True}
        result: dict[str, Any] = json.loads(answer.read_text())
        return result


def unpack(code: bytes, folder: Path) -> Path:
    """The package's files, unpacked once, as old as the package says: they are on Lambda."""
    package = folder / hashlib.sha256(code).hexdigest()
    if not package.exists():
        with zipfile.ZipFile(io.BytesIO(code)) as files:
            files.extractall(package)
            for each in files.infolist():
                when = datetime(*each.date_time, tzinfo=UTC).timestamp()
                os.utime(package / each.filename, (when, when))
    return package
