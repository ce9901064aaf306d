"""Reconcile for a person: with a permission, a time limit and audit entries."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.contrib.auth.models import User

from applications.choices import Level
from applications.models import LoanApplication
from applications.services.timeline import event_record
from audit.models import Action
from audit.services import entry_record
from core.errors import NotPermitted
from workflows.errors import EngineError
from workflows.reconcile.compare import reconcile
from workflows.reconcile.findings import Finding

RECONCILE = "workflows.reconcile_execution"
PATIENCE = timedelta(seconds=20)  # API Gateway ends a request after 29 s


class _TimeIsOver(Exception):
    """The time for one response to a browser is over."""


@dataclass
class Looked:
    """The result of a manual reconcile, also when it ended early."""

    dry_run: bool
    compared: int = 0
    findings: list[Finding] = field(default_factory=list)
    engine_error: str = ""
    is_cut_short: bool = False

    @property
    def is_complete(self) -> bool:
        return not self.engine_error and not self.is_cut_short


def reconcile_check(*, user: User) -> None:
    """Raise ``NotPermitted`` unless ``user`` may compare the record with the engine."""
    if not user.has_perm(RECONCILE):
        raise NotPermitted("Only Operations compares the record with the engine.")


def reconcile_manually(*, user: User, dry_run: bool) -> Looked:
    """Compare the record with the engine and, unless ``dry_run``, repair it.

    Each repaired application gets a timeline entry and an audit entry. Repairs stay when the
    engine can no longer be reached or the time is over. Raises ``NotPermitted``.
    """
    reconcile_check(user=user)
    looked = Looked(dry_run=dry_run)
    until = time.monotonic() + PATIENCE.total_seconds()

    def on_progress(compared: int) -> None:
        looked.compared = compared
        if time.monotonic() > until:
            raise _TimeIsOver

    def on_finding(finding: Finding) -> None:
        looked.findings.append(finding)
        if not dry_run:
            _audit(finding, user)
        on_progress(looked.compared)

    try:
        reconcile(dry_run=dry_run, on_progress=on_progress, on_finding=on_finding)
    except _TimeIsOver:
        looked.is_cut_short = True
    except EngineError as error:
        looked.engine_error = str(error)
    if not dry_run:
        entry_record(
            action=Action.OPERATED,
            message="Compared the record with the engine, and repaired it.",
            actor=user,
            details={
                "compared": looked.compared,
                "findings": len(looked.findings),
                "complete": looked.is_complete,
            },
        )
    return looked


def _audit(finding: Finding, user: User) -> None:
    application = LoanApplication.objects.filter(reference=finding.reference).first()
    if application is None:
        return
    event_record(
        application=application,
        kind="reconciled",
        message=f"Compared with the engine: {finding.what}. Done: {finding.repair}.",
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        data={"execution": finding.name, "engine": finding.engine, "record": finding.record},
    )
