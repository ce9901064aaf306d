"""Runs the invariant check on an office and reads its findings."""

from typing import Any

from devtools.chaos.acknowledgements import Reply, State
from devtools.chaos.findings import Fault, Finding
from devtools.chaos.invariants import check_invariants
from devtools.chaos.snapshot import Snapshot
from tests.devtools.chaos.office import (
    Office,
)

REFUSED, UNANSWERED = Reply(State.REFUSED, "403 No."), Reply(State.UNANSWERED, "500")
TOO_LATE = Reply(State.REFUSED, "409 wrong-state It is funded.")


def found(office: Office, snapshot: Snapshot | None = None) -> list[Finding]:
    return check_invariants(
        acknowledgements=office.acknowledgements, snapshot=snapshot or office.snapshot
    )


def only(office: Office, snapshot: Snapshot | None = None) -> tuple[Fault, str, str]:
    """The one finding: its fault, the name of its case, its sentence."""
    (finding,) = found(office, snapshot)
    names = {
        acknowledged.reference: name
        for name, acknowledged in office.acknowledgements.applications.items()
    }
    return finding.fault, names.get(finding.subject, finding.subject), finding.why


def all_of(office: Office, fault: Fault, snapshot: Snapshot | None = None) -> list[str]:
    return [finding.why for finding in found(office, snapshot) if finding.fault == fault]


def rows(office: Office, name: str) -> dict[str, Any]:
    return {"application__reference": office.acknowledged(name).reference}
