"""Settle payouts of unknown outcome, as two people of Operations do, while a run goes on."""

import threading

from django.contrib.auth.models import User
from django.db import OperationalError, connections

from accounts import proposals
from applications.choices import Status
from applications.models import Disbursement
from core.errors import DomainError
from workflows.errors import ProviderError
from workflows.proposals import settlement_propose

PEOPLE = ("operations", "operations2")
PAUSE = 0.5  # seconds between two looks


class Settling:
    """A thread that says of every held payout what the rail says: one proposes, one confirms."""

    def __init__(self) -> None:
        self.settled = 0
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        try:
            while not self._stop.wait(PAUSE):
                self._look()
        except Exception as error:
            self.failed.append(f"the people of Operations failed: {error!r}")
            raise
        finally:
            connections.close_all()

    def _look(self) -> None:
        try:
            one, other = (User.objects.get(username=name) for name in PEOPLE)
            for reference in held():
                if self._stop.is_set():
                    return
                self._settle(reference, one, other)
        except OperationalError:
            connections.close_all()  # the database is busy: again at the next look

    def _settle(self, reference: str, one: User, other: User) -> None:
        try:
            proposal = settlement_propose(
                reference=reference, user=one, paid=True, note="As the rail says."
            )
            proposals.proposal_confirm(proposal=proposal, user=other)
        except (DomainError, ProviderError):
            return  # the rail does not say it yet
        self.settled += 1


def held() -> list[str]:
    """Return the applications whose payout is held until somebody says what became of it."""
    return list(
        Disbursement.objects.filter(
            status=Disbursement.Status.UNKNOWN, application__status=Status.NEEDS_ATTENTION
        ).values_list("application__reference", flat=True)
    )
