"""Adds rows to seal, runs the verification, and changes rows as the owner of the tables may."""

from io import StringIO

from django.core.management import call_command
from django.db import connection

from audit.models import Action, AuditEntry
from audit.seal_verification import seals_verify
from audit.services import entry_record
from tests import append_only


def look(message: str = "Looked.") -> AuditEntry:
    return entry_record(action=Action.VIEWED, message=message)


def verify() -> tuple[int, str, str]:
    """Run the command; return its exit code, its output and its progress."""
    out, err = StringIO(), StringIO()
    code = 0
    try:
        call_command("audit_verify", stdout=out, stderr=err, no_color=True)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, out.getvalue(), err.getvalue()


def finding() -> str:
    """The finding, after checking that the command ends with 1 and says it, too."""
    found = seals_verify().finding
    code, said, _ = verify()
    assert (code, found in said) == (1 if found else 0, True)
    return found


def as_owner(statement: str, *values: object) -> None:
    """Run a statement as the owner of the tables, who can disable the triggers."""
    with append_only.lifted(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0
