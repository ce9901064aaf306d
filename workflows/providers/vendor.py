"""Ask the fraud vendor over HTTP with a signed request; it answers a callback later.

``docs/fraud-vendor.md`` is the wire. No retries here: the function that asks is invoked again
when it raises, with the same identifier and body.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from urllib3.exceptions import HTTPError

from workflows.callbacks.signatures import headers_of
from workflows.errors import ProviderError
from workflows.providers.http import POOL
from workflows.providers.interfaces import Screening


class HttpFraudVendor:
    def __init__(self, *, url: str, secrets: Sequence[bytes]) -> None:
        self.url = url
        self.secrets = secrets

    def ask(self, screening: Screening) -> None:
        body = json.dumps(body_of(screening), sort_keys=True).encode()
        signed = headers_of(
            self.secrets, identifier=screening.name, at=datetime.now(UTC), body=body
        )
        try:
            response = POOL.request(
                "POST",
                self.url,
                body=body,
                headers={"Content-Type": "application/json", **signed},
                redirect=False,
            )
        except HTTPError as error:
            raise ProviderError(f"{self.url}: {error}") from error
        if not 200 <= response.status < 300:
            raise ProviderError(f"{self.url} answered {response.status}")


def body_of(screening: Screening) -> dict[str, Any]:
    """The JSON body of a question: only what a screening compares, so no income or e-mail."""
    subject = screening.subject
    return {
        "type": "fraud_check.requested",
        "reference": subject.reference,
        "applicant_name": subject.applicant_name,
        "address": subject.address,
        "sin_last4": subject.sin_last4,
        "loan_amount": str(subject.loan_amount),
        "currency": subject.currency,
        "callback_url": screening.callback_url,
        "answer_by": screening.answer_by.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
