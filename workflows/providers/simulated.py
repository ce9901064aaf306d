"""Simulators of the outside world: repeatable, and slow enough to watch when asked to be.

The last four digits of the SIN choose what the bureaus and the fraud service say. That
is all that makes a demo profile: the rules never see it. Any other SIN gets scores from
a hash, so a case always repeats.
"""

import hashlib
import time
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import F

from applications.choices import Bureau, FraudVerdict
from lending.underwriting import Report
from workflows.db_threads import run_in_db_thread
from workflows.errors import PayoutRefused, ProviderError
from workflows.models import SimulatedPayout
from workflows.providers.interfaces import BureauReport, Subject

BUREAU_SECONDS = 3.0
FRAUD_SECONDS = 5.0
PAYOUT_SECONDS = 2.0
LOWEST, HIGHEST = 520, 840  # scores made from a hash


@dataclass(frozen=True)
class SimulatedProfile:
    """What the outside world knows of one SIN."""

    scores: dict[Bureau, int]
    marks: int = 0  # at each bureau
    down: frozenset[Bureau] = frozenset()
    fraud: FraudVerdict = FraudVerdict.PASSED


def _scores(equifax: int, transunion: int, experian: int) -> dict[Bureau, int]:
    return {
        Bureau.EQUIFAX: equifax,
        Bureau.TRANSUNION: transunion,
        Bureau.EXPERIAN: experian,
    }


SIMULATED_PROFILES = {
    "1111": SimulatedProfile(_scores(782, 776, 784)),
    "2222": SimulatedProfile(_scores(538, 545, 541), marks=1),
    "3333": SimulatedProfile(_scores(642, 636, 645)),
    "4444": SimulatedProfile(_scores(761, 757, 764), fraud=FraudVerdict.FLAGGED),
    "5555": SimulatedProfile(_scores(702, 697, 700), down=frozenset({Bureau.EXPERIAN})),
}


def simulate_latency(seconds: float) -> None:
    """Take as long as the real thing might, times the one setting that says how patient we are."""
    if settings.LOANOFFICE_SIMULATED_LATENCY > 0:
        time.sleep(seconds * settings.LOANOFFICE_SIMULATED_LATENCY)


class SimulatedBureau:
    def __init__(self, bureau: Bureau) -> None:
        self.bureau = bureau

    def pull(self, subject: Subject) -> BureauReport:
        simulate_latency(BUREAU_SECONDS)
        story = SIMULATED_PROFILES.get(subject.sin_last4)
        if story is not None and self.bureau in story.down:
            raise ProviderError(f"{self.bureau.label} is not available")
        digest = hashlib.sha256(f"{self.bureau.value}:{subject.sin_last4}".encode()).digest()
        if story is None:
            score = LOWEST + int.from_bytes(digest[:4]) % (HIGHEST - LOWEST + 1)
            report = Report(score=score, derogatory_marks=int(score < 600))
        else:
            report = Report(score=story.scores[self.bureau], derogatory_marks=story.marks)
        return BureauReport(report=report, bureau_reference=digest.hex()[:12].upper())


class SimulatedFraudService:
    def check(self, subject: Subject) -> FraudVerdict:
        simulate_latency(FRAUD_SECONDS)
        story = SIMULATED_PROFILES.get(subject.sin_last4)
        return FraudVerdict.PASSED if story is None else story.fraud


class SimulatedPayoutRail:
    """Keeps its own books, in its own transaction, as a bank would: a key pays once."""

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

    def find(self, *, idempotency_key: str) -> str | None:
        return run_in_db_thread(
            SimulatedPayout.objects.filter(idempotency_key=idempotency_key)
            .values_list("reference", flat=True)
            .first
        )


@transaction.atomic(durable=True)
def _book(*, idempotency_key: str, amount: Decimal, currency: str, reference: str) -> str:
    payout, new = SimulatedPayout.objects.get_or_create(
        idempotency_key=idempotency_key,
        defaults={"reference": f"PAY-{reference}", "amount": amount, "currency": currency},
    )
    if not new:
        if (payout.amount, payout.currency) != (amount, currency):
            raise PayoutRefused(f"{idempotency_key} was used for another amount")
        SimulatedPayout.objects.filter(pk=payout.pk).update(requests=F("requests") + 1)
    return payout.reference
