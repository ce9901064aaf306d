"""Simulate the outside providers: repeatable, and slow enough to watch when asked to be.

The last four digits of the SIN choose what the bureaus and the fraud service say. That
is all that makes a demo profile: the rules never see it. Any other SIN gets scores from
a hash, so an application always repeats.
"""

import hashlib
import time
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import F

from applications.choices import Bureau, FraudVerdict
from core.database import insert_once
from lending.underwriting import Report
from workflows.db_threads import run_in_db_thread
from workflows.errors import PayoutRefused, ProviderError
from workflows.models import SimulatedPayout
from workflows.providers.interfaces import BureauReport, Payment, PaymentState, Subject

BUREAU_SECONDS = 3.0
FRAUD_SECONDS = 5.0
PAYOUT_SECONDS = 2.0
STEP_SECONDS = 2.0  # of a step that asks nobody, so that a person can watch it
LOWEST, HIGHEST = 520, 840  # scores made from a hash


class SimulatedProfile(NamedTuple):
    """The reports and the fraud verdict of one SIN."""

    marks: int = 0  # at each bureau
    down: frozenset[Bureau] = frozenset()
    fraud: FraudVerdict = FraudVerdict.PASSED


SIMULATED_PROFILES = {
    "1111": SimulatedProfile(),
    "2222": SimulatedProfile(marks=1),
    "3333": SimulatedProfile(),
    "4444": SimulatedProfile(fraud=FraudVerdict.FLAGGED),
    "5555": SimulatedProfile(down=frozenset({Bureau.EXPERIAN})),
}
# The score that each bureau gives to each profile. A check says which is missing.
SCORES = {
    Bureau.EQUIFAX: {"1111": 782, "2222": 538, "3333": 642, "4444": 761, "5555": 702},
    Bureau.TRANSUNION: {"1111": 776, "2222": 545, "3333": 636, "4444": 757, "5555": 697},
    Bureau.EXPERIAN: {"1111": 784, "2222": 541, "3333": 645, "4444": 764, "5555": 700},
}


def missing_scores() -> dict[Bureau, list[str]]:
    """The profiles that a bureau has no score for, by bureau; empty when none is missing."""
    return {
        bureau: missing
        for bureau in Bureau
        if (missing := sorted(SIMULATED_PROFILES.keys() - SCORES.get(bureau, {}).keys()))
    }


def is_slow() -> bool:
    """True where steps take as long as set, so that a person can watch them one by one."""
    return bool(settings.LOANOFFICE_SIMULATED_LATENCY > 0)


def simulate_latency(seconds: float) -> None:
    """Sleep as long as a real provider might take, times ``LOANOFFICE_SIMULATED_LATENCY``."""
    if is_slow():
        time.sleep(seconds * settings.LOANOFFICE_SIMULATED_LATENCY)


class SimulatedBureau:
    def __init__(self, bureau: Bureau) -> None:
        self.bureau = bureau

    def pull(self, subject: Subject) -> BureauReport:
        simulate_latency(BUREAU_SECONDS)
        profile = SIMULATED_PROFILES.get(subject.sin_last4)
        if profile is not None and self.bureau in profile.down:
            raise ProviderError(f"{self.bureau.label} is not available")
        digest = hashlib.sha256(f"{self.bureau.value}:{subject.sin_last4}".encode()).digest()
        if profile is None:
            score = LOWEST + int.from_bytes(digest[:4]) % (HIGHEST - LOWEST + 1)
            report = Report(score=score, derogatory_marks=int(score < 600))
        else:
            report = Report(
                score=SCORES[self.bureau][subject.sin_last4], derogatory_marks=profile.marks
            )
        return BureauReport(report=report, bureau_reference=digest.hex()[:12].upper())


class SimulatedFraudService:
    def check(self, subject: Subject) -> FraudVerdict:
        simulate_latency(FRAUD_SECONDS)
        profile = SIMULATED_PROFILES.get(subject.sin_last4)
        return FraudVerdict.PASSED if profile is None else profile.fraud


class SimulatedPayoutRail:
    """Record payouts in its own transaction, as a bank would: a key pays once."""

    def pay(self, *, idempotency_key: str, amount: Decimal, currency: str, reference: str) -> str:
        simulate_latency(PAYOUT_SECONDS)
        return run_in_db_thread(
            lambda: _book(
                idempotency_key=idempotency_key,
                amount=amount,
                currency=currency,
                reference=reference,
            )
        )

    def find(self, *, idempotency_key: str) -> Payment | None:
        reference = run_in_db_thread(
            SimulatedPayout.objects.filter(idempotency_key=idempotency_key)
            .values_list("reference", flat=True)
            .first
        )
        return None if reference is None else Payment(PaymentState.SETTLED, reference)


@transaction.atomic(durable=True)
def _book(*, idempotency_key: str, amount: Decimal, currency: str, reference: str) -> str:
    payout = SimulatedPayout(
        idempotency_key=idempotency_key,
        reference=f"PAY-{reference}",
        amount=amount,
        currency=currency,
    )
    if insert_once(payout, unique="idempotency_key"):
        return payout.reference
    known = SimulatedPayout.objects.get(idempotency_key=idempotency_key)
    if (known.amount, known.currency) != (amount, currency):
        raise PayoutRefused(f"{idempotency_key} was used for another amount")
    SimulatedPayout.objects.filter(pk=known.pk).update(requests=F("requests") + 1)
    return known.reference
