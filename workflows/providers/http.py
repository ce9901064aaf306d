"""Adapters for real providers that speak JSON over HTTP.

The wire, the same small shape for each; a provider that speaks another gets its own
adapter behind the same interface:

- bureau: ``POST {url}/reports`` with the subject -> ``{"score", "derogatory_marks", "id"}``
- fraud: ``POST {url}/checks`` with the subject -> ``{"result": "passed" | "flagged"}``
- payout: ``POST {url}/payouts`` with ``Idempotency-Key`` -> ``{"id", "status": "settled"}``, or
  ``{"status": "refused", "reason"}`` with a status of ``REFUSALS``;
  ``GET {url}/payouts/{key}`` -> ``{"id", "status"}``, or 404 with ``{"status": "not_found"}``

``Authorization: Bearer <token>`` on all of them. What each answer of the payout rail means is in
``docs/payout-rail.md``.
"""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError

from applications.choices import FraudVerdict
from lending.underwriting import Report
from workflows.errors import PayoutRefused, PayoutUnknown, ProviderError
from workflows.providers.interfaces import BureauReport, Payment, PaymentState, Subject

LONGEST_REFERENCE = 100  # characters, as the columns have them
LONGEST_REASON = 200  # of a refusal, in an incident

# A refusal of the payout rail is one of these with a body that says so; nothing else is.
REFUSALS = frozenset({400, 402, 403, 404, 422})
REFUSED, NOT_FOUND = "refused", "not_found"
STATES = {
    "settled": PaymentState.SETTLED,
    "failed": PaymentState.FAILED,
    REFUSED: PaymentState.FAILED,
}
UNREADABLE = (HTTPError, ValueError, RecursionError)  # no answer, or not a JSON object

# No retries here: the durable step, which remembers, is what retries.
POOL = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=20), retries=False)


class HttpService:
    def __init__(self, *, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of one answer. Raises urllib3's ``HTTPError``, ``ValueError``."""
        response = POOL.request(
            method,
            self.url + path,
            body=None if body is None else json.dumps(body, default=str).encode(),
            headers={**self.headers, **headers},
            redirect=False,
        )
        found = json.loads(response.data) if response.data else {}
        if not isinstance(found, dict):
            raise ValueError("the answer is not a JSON object")
        return response.status, found

    def ask(self, path: str, subject: Subject) -> dict[str, Any]:
        """The 2xx answer to a question about a subject. Raises ``ProviderError``."""
        try:
            status, found = self.call("POST", path, asdict(subject))
        except (HTTPError, ValueError) as error:
            raise ProviderError(f"{self.url}{path}: {error}") from error
        if not 200 <= status < 300:
            raise ProviderError(f"{self.url}{path} answered {status}")
        return found


class HttpBureau(HttpService):
    def pull(self, subject: Subject) -> BureauReport:
        found = self.ask("/reports", subject)
        try:
            report = Report(
                score=int(found["score"]), derogatory_marks=int(found["derogatory_marks"])
            )
            return BureauReport(report=report, bureau_reference=_reference(found))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ProviderError(f"{self.url} sent no usable report: {_why(error)}") from error


class UnusableIdError(ValueError):
    """A provider's own reference cannot be stored."""


def _why(error: Exception) -> str:
    """Say why an answer cannot be used, without quoting it: it may be personal."""
    quotes_nothing = isinstance(error, UnusableIdError | KeyError)  # a key is one that we asked for
    return repr(error) if quotes_nothing else type(error).__name__


def _reference(found: dict[str, Any]) -> str:
    """Return a provider's own reference. Raises ``KeyError``, ``ValueError``."""
    given = found["id"]
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise UnusableIdError("the id is no text")
    reference = str(given)
    if not 0 < len(reference.strip()) <= len(reference) <= LONGEST_REFERENCE:
        raise UnusableIdError(f"the id has not 1 to {LONGEST_REFERENCE} characters")
    return reference


class HttpFraudService(HttpService):
    def check(self, subject: Subject) -> FraudVerdict:
        found = self.ask("/checks", subject)
        try:
            return FraudVerdict(found["result"])
        except (KeyError, ValueError) as error:
            raise ProviderError(f"{self.url} sent no usable verdict: {_why(error)}") from error


class HttpPayoutRail(HttpService):
    def pay(self, *, idempotency_key: str, amount: Decimal, currency: str, reference: str) -> str:
        body = {"amount": str(amount), "currency": currency, "reference": reference}
        try:
            status, found = self.call(
                "POST", "/payouts", body, **{"Idempotency-Key": idempotency_key}
            )
        except NewConnectionError as error:  # nothing was sent
            raise ProviderError(f"{self.url}: {error}") from error
        except UNREADABLE as error:
            raise PayoutUnknown(f"{self.url}: {error}") from error
        said = found.get("status")
        if 200 <= status < 300 and said == PaymentState.SETTLED:
            try:
                return _reference(found)
            except (KeyError, ValueError) as error:
                raise PayoutUnknown(f"{self.url} settled it, but no id: {_why(error)}") from error
        if status in REFUSALS and said == REFUSED:
            reason = str(found.get("reason", ""))[:LONGEST_REASON]
            raise PayoutRefused(f"{self.url} refused it with {status}.", reason=reason)
        # Also a 409 "in progress", a 408, a 429, or a 200 that does not say "settled".
        raise PayoutUnknown(f"{self.url} answered {status}, which does not say whether it paid")

    def find(self, *, idempotency_key: str) -> Payment | None:
        try:
            status, found = self.call("GET", f"/payouts/{quote(idempotency_key, safe='')}")
        except UNREADABLE as error:
            raise ProviderError(f"{self.url}: {error}") from error
        said = found.get("status")
        if status == 404 and said == NOT_FOUND:
            return None
        if not 200 <= status < 300 or not isinstance(said, str):
            raise ProviderError(f"{self.url} answered {status}, which does not say what it knows")
        state = STATES.get(said, PaymentState.OPEN)
        try:
            reference = _reference(found)
        except (KeyError, ValueError) as error:
            if state == PaymentState.SETTLED:
                raise ProviderError(f"{self.url} settled it, but no id: {_why(error)}") from error
            reference = ""
        return Payment(state, reference)
