"""``python -m devtools.aws``: deploy the product to an emulated AWS here, with demo logins.

The real ``zappa deploy`` of the real package, to MiniStack, on 127.0.0.1 only. Ctrl-C ends all.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from core.stop_signals import ignore_stop_signals, interrupt_on_stop_signal
from devtools.aws.names import REPOSITORY
from devtools.aws.office import EmulatedOffice, NotStarted
from loanoffice.demo_logins import PARTNER_KEY, PASSWORD, ROLES

PORT = 8443


def main() -> int:
    """Return the exit code."""
    data = Path(os.environ.get("LOANOFFICE_DATA", REPOSITORY / "var")).resolve() / "aws"
    began = time.monotonic()
    interrupt_on_stop_signal()
    try:
        _say("Starting PostgreSQL and an emulated AWS; what the last start left is deleted")
        shutil.rmtree(data, ignore_errors=True)
        with EmulatedOffice(data, port=int(os.environ.get("PORT", PORT))) as office:
            try:
                _say("Deploying with zappa, which takes some minutes")
                office.deploy()
                _welcome(office, seconds=time.monotonic() - began)
                signal.pause()
            finally:
                ignore_stop_signals()  # nothing interrupts what stops the processes
                _say("Stopping.")
    except KeyboardInterrupt:
        return 0
    except (NotStarted, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _welcome(office: EmulatedOffice, *, seconds: float) -> None:
    site = office.ports.site
    _say(f"""
Loan Office is running on an emulated AWS at {site}/admin/ ({seconds:.0f} s)
  log in as   {", ".join(ROLES)}
  password    {PASSWORD}
  AWS         {office.ports.aws}
  data        {office.folder} (logs and e-mails; gone with the next start)

The certificate is made for this start, so the browser asks whether to go on.
Submit an application as a partner:
  curl -sk {site}/api/v1/applications/ \\
    -H 'Authorization: Bearer {PARTNER_KEY}' -H 'Content-Type: application/json' \\
    -d '{{"applicant_name": "Alice Johnson", "sin_last4": "1111", "loan_amount": "150000.00"}}'

Ctrl-C stops it.
""")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
