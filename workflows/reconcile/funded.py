"""Compare funded applications with the decisions on record that their payout needed."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import partial

from applications.choices import Status
from applications.models import LoanApplication
from workflows.callbacks.flags import FLAG_REVIEWS
from workflows.funding_requirements import BEFORE_PAYOUT, facts_read, lacking
from workflows.models import Incident
from workflows.reconcile import repairs
from workflows.reconcile.findings import Comparison, Finding, Place
from workflows.reconcile.questions import chunks, in_time

ABOUT_DECISIONS = (Incident.Kind.NOT_APPROVED, Incident.Kind.FLAGGED_AFTER_PAYOUT)


def compare_funded(
    comparison: Comparison, after: Place, *, since: datetime | None
) -> Iterator[Place]:
    """Find the applications that were funded without a decision that they needed.

    ``since``: only those that closed after it. Each is found once: its incident says it from then
    on, also when somebody has resolved it.
    """
    rows = LoanApplication.objects.filter(status=Status.FUNDED).only("reference", "attempt")
    if since is not None:
        rows = rows.filter(closed_at__gte=since)
    for chunk in chunks(comparison, rows, after):
        comparison.count(0)  # executions are counted; this only shows that it goes on
        facts = facts_read(application.pk for application in chunk)
        lacks = {
            application.pk: lacking(facts[application.pk], BEFORE_PAYOUT) for application in chunk
        }
        known = _known([pk for pk, found in lacks.items() if found])
        for application in in_time(comparison, chunk):
            unreported = _unreported(lacks[application.pk], known[application.pk])
            if unreported:
                _found(comparison, application, unreported)
            yield application.pk


def _unreported(lacks: tuple[str, ...], known: set[str]) -> tuple[str, ...]:
    """Return what is lacking without an incident that says so."""
    if Incident.Kind.NOT_APPROVED in known:
        return ()
    if Incident.Kind.FLAGGED_AFTER_PAYOUT in known:
        return tuple(lack for lack in lacks if lack not in FLAG_REVIEWS)
    return lacks


def _known(applications: list[int]) -> dict[int, set[str]]:
    """Return the kinds of incident about decisions that each application ever had."""
    known: dict[int, set[str]] = defaultdict(set)
    incidents = Incident.objects.filter(application__in=applications, kind__in=ABOUT_DECISIONS)
    for pk, kind in incidents.order_by().values_list("application", "kind"):
        known[pk].add(kind)
    return known


def _found(comparison: Comparison, application: LoanApplication, lacks: tuple[str, ...]) -> None:
    comparison.found(
        Finding(
            f"{application.reference}-{application.attempt}",
            "not asked",
            Status.FUNDED,
            "funded without its decisions",
            "incident",
        ),
        partial(repairs.funded_without_decisions, application, lacks),
    )
