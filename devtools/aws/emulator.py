"""MiniStack, an emulator of AWS that others wrote, as a process of its own environment."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from devtools.aws.names import ACCOUNT, CREDENTIALS, REGION, REPOSITORY
from devtools.supervisor import Process

VENV = REPOSITORY / ".venv-emulator"
DEPLOY_VENV = REPOSITORY / ".venv-deploy"


class Group(Process):
    """A process with children that do not all end with it: the emulator's workers."""

    def stop(self) -> None:
        super().stop()
        if self.popen is not None:
            with suppress(ProcessLookupError):  # none is left
                os.killpg(self.popen.pid, signal.SIGKILL)


def emulator(port: int, *, folder: Path, log: Path) -> Group:
    """Return the process; its files are in ``folder`` and end with it."""
    folder.mkdir(parents=True)
    return Group(
        name="The emulator of AWS",
        command=[str(VENV / "bin" / "python"), "-m", "ministack"],
        health=f"http://127.0.0.1:{port}/_ministack/health",
        environment={
            # Its functions run on the Python that their package was made with.
            "PATH": f"{DEPLOY_VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "S3_DATA_DIR": str(folder / "s3"),
            "STATE_DIR": str(folder / "state"),
            "LAMBDA_EXECUTOR": "local",
            # They listen on fixed ports of every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            **CREDENTIALS,
        },
        folder=folder,
        log=log,
    )
