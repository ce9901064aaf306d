"""Copies of the seals outside of the database, and a database that was put back."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from applications.models import Disbursement
from audit import sealing
from audit.models import AuditEntry, Seal, SealingState, SealVerification
from tests.audit.seals import as_owner, finding, look, verify

pytestmark = pytest.mark.django_db


def test_copies_are_lines_that_only_the_owner_reads(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    assert sealing.seals_copy() == 1
    assert sealing.seals_copy() == 0
    assert copies_file.stat().st_mode & 0o777 == 0o600
    seal = Seal.objects.get()
    assert copies_file.read_text() == seal.document + "\n"
    assert "compared with 1 copies in" in verify()[1]


def test_line_that_a_killed_process_left_unfinished_vouches_for_nothing(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    copies_file.write_text(Seal.objects.get().document[:50])
    sealing.seals_copy()
    assert finding() == ""
    assert len(copies_file.read_text().splitlines()) == 2


def forge(change: str, *values: object) -> None:
    """Change rows as the owner, and make all seals anew, each right in itself."""
    as_owner(change, *values)
    as_owner("DELETE FROM audit_seal")
    sealing.seals_make()


def test_database_whose_seals_were_rewritten_is_caught_and_its_row_named(
    record: None, copies_file: Path
) -> None:
    sealing.seals_make()
    sealing.seals_copy()
    key = Disbursement.objects.order_by("pk").values_list("pk", flat=True)[0]
    forge("UPDATE applications_disbursement SET amount = 1 WHERE id = %s", key)

    found = finding()

    assert found.startswith(f"Seal 1 was rewritten. By its copy in {copies_file}: disbursement ")
    assert f"{key} (applications_disbursement) was changed after seal 1" in found


def test_rewritten_seals_whose_forged_copies_were_added_are_caught(
    record: None, copies_file: Path
) -> None:
    sealing.seals_make()
    sealing.seals_copy()
    forge("UPDATE audit_auditentry SET message = 'x'")
    SealingState.objects.update(copied=0)
    sealing.seals_copy()
    assert finding().startswith("There is another seal 1 in")


def test_seal_that_is_only_in_the_copies_is_named(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    look()
    sealing.seals_make()
    sealing.seals_copy()
    as_owner("DELETE FROM audit_seal WHERE number = 2")
    assert finding().startswith(f"Seal 2 is in {copies_file} and not in the database.")


def test_seal_without_a_copy_is_named_after_an_hour(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    assert finding() == ""
    as_owner("UPDATE audit_seal SET at = %s", timezone.now() - timedelta(hours=2))
    assert finding() == f"Seal 1 has no copy in {copies_file}."


def test_restored_database_goes_on_after_the_restore_is_recorded(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    lost = look()
    sealing.seals_make()
    sealing.seals_copy()
    as_owner("DELETE FROM audit_seal WHERE number = 2")
    as_owner("DELETE FROM audit_auditentry WHERE id = %s", lost.pk)
    SealingState.objects.update(copied=1)
    assert "is in" in finding()
    out = StringIO()

    call_command("audit_seal", "--after-restore", "The disk broke.", stdout=out)

    assert "Seal 2 records the restore; it gives up 1 seals." in out.getvalue()
    assert finding() == ""
    assert (
        "Seal 2 records a restore of the database, which lost 1 seals: The disk broke."
        in verify()[1]
    )
    assert AuditEntry.objects.filter(message__startswith="The database was put back").exists()
    look()
    sealing.seals_make()
    sealing.seals_copy()
    assert finding() == ""
    with pytest.raises(CommandError, match="Say why"):
        call_command("audit_seal", "--after-restore", " ")


def test_restore_is_recorded_in_a_database_without_any_seal(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    sealing.seals_copy()
    as_owner("DELETE FROM audit_seal")
    call_command("audit_seal", "--after-restore", "All was lost.", stdout=StringIO())
    assert finding() == ""


def test_copies_that_cannot_be_reached_are_not_called_verified(
    settings: Any, tmp_path: Path
) -> None:
    settings.LOANOFFICE_SEAL_FILE = tmp_path  # a folder
    look()
    sealing.seals_make()
    code, said, errors = verify()
    assert (code, said) == (2, "")
    assert errors.startswith("Not known. CopiesUnreachable:")
    assert not SealVerification.objects.exists()
    with pytest.raises(CommandError, match="cannot be reached"):
        call_command("audit_seal")
