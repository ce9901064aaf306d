"""``python -m tests.hard_cases.web_process PORT [WHEN]``: the web application, killed on cue.

It is served as the demo serves it, from a process of its own. WHEN is ``in-transaction``
(everything of a submission is written, nothing is committed) or ``after-commit`` (everything
is committed, the answer has not left); then the process sends itself SIGKILL.
"""

import os
import signal
import sys
from typing import Any, NoReturn

import waitress
from django.core.wsgi import get_wsgi_application
from django.db import connection

IN_TRANSACTION, AFTER_COMMIT = "in-transaction", "after-commit"


def die(last_words: str) -> NoReturn:
    """``kill -9``: no handler, no ``finally``, no rollback by us."""
    sys.stderr.write(f"{last_words}\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed, and still here")


def main(port: int, when: str = "") -> None:
    application = get_wsgi_application()

    from applications.models import LoanApplication  # noqa: PLC0415
    from applications.signals import application_submitted  # noqa: PLC0415
    from partners.models import IdempotencyKey  # noqa: PLC0415

    def rows() -> str:
        counts = (LoanApplication.objects.count(), IdempotencyKey.objects.count())
        return f"written={counts} in_transaction={connection.in_atomic_block}"

    def in_transaction(**_: Any) -> None:
        die(rows())

    def after_commit(environ: dict[str, Any], start_response: Any) -> Any:
        answer = application(environ, start_response)
        if environ["REQUEST_METHOD"] == "POST":
            die(rows())
        return answer

    if when == IN_TRANSACTION:
        application_submitted.connect(in_transaction)
    served = after_commit if when == AFTER_COMMIT else application
    waitress.serve(served, host="127.0.0.1", port=port, threads=8)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
