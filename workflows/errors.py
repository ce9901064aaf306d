"""Errors of the engine and of providers."""

from dataclasses import dataclass, field

from core.errors import DomainError, InvalidFields


@dataclass(frozen=True)
class DeliveryResult:
    """The result of one webhook attempt. ``status_code`` 0: no answer, and ``error`` says why."""

    status_code: int = 0
    response: str = ""
    error: str = ""
    address: str = ""
    took_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class EngineError(Exception):
    """The engine refused a call, or could not be reached."""


class EngineUnavailable(EngineError):
    """The engine is throttling, unreachable or failing: the call may be repeated."""


class CallbackClosed(EngineError):
    """The engine no longer waits for this callback: answered, timed out or stopped."""


class EngineConflict(EngineError):
    """The state of the execution or function does not allow the call: updating, paused, ended."""


class AlreadyStarted(EngineError):
    """The execution's name is taken by another payload."""


class NotFound(EngineError):
    """The engine does not know this function, execution or callback."""


class ProviderError(Exception):
    """An outside service did not answer as it should; the request may be repeated."""


class PayoutRefused(Exception):
    """The rail refused the payout finally: nothing was paid.

    ``reason`` is in the rail's own words, which may be personal: log lines leave it out.
    """

    def __init__(self, sentence: str, *, reason: str = "") -> None:
        self.for_log = sentence
        super().__init__(f"{sentence} {reason}".strip())


class PayoutUnknown(Exception):
    """The outcome of a payout is unknown; the rail must not be asked to pay again."""


class AnswerDiffers(Exception):
    """The engine reports another answer than the one on record: nothing is paid on either."""

    def __init__(self, *, reference: str, subject: str, reported: str, recorded: str) -> None:
        super().__init__(
            f"The engine reports that {subject.lower()} of {reference} was answered with "
            f"{reported}, but “{recorded}” is on record: somebody answered past this office. "
            "Nothing was paid. Find out who can reach the engine, then restart the application."
        )


class NotApproved(Exception):
    """The record lacks a decision without which nothing may be offered or paid."""

    def __init__(self, *, reference: str, why: str) -> None:
        super().__init__(f"{reference} is not paid out: {why}.")


class WebhookError(Exception):
    """A webhook was not accepted and is tried again. ``result`` is that of the attempt."""

    def __init__(self, result: DeliveryResult) -> None:
        self.result = result
        super().__init__(result.error or f"the endpoint answered {result.status_code}")


class EndpointGone(WebhookError):
    """The endpoint answered 410: nothing may be sent there any more."""


class PayoutFound(DomainError):
    code = "payout-found"
    title = "The rail has paid"

    def __init__(self, *, reference: str, rail_reference: str) -> None:
        super().__init__(f"The rail says that it paid {reference} as {rail_reference}.")


class PayoutUnsettled(DomainError):
    code = "payout-unsettled"
    title = "Nobody knows yet whether it was paid"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"Nobody knows whether {reference} was paid: say first whether it was, then restart."
        )


class RailUnreachable(DomainError):
    code = "rail-unreachable"
    title = "The payout rail cannot be asked"
    http_status = 503

    def __init__(self, *, reference: str, why: str) -> None:
        super().__init__(
            f"The payout rail cannot be asked about {reference} now ({why}); nothing was changed."
        )


class OrderFailed(DomainError):
    """The rail has refused or failed the current order, and repeats that for the same key."""

    code = "order-failed"
    title = "The rail will not pay this order"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"The rail says that the order to pay {reference} failed, and repeats that for the "
            "same order. Propose a new order, or withdraw the application."
        )


class NothingRefused(DomainError):
    """A new order was asked for, and the rail has not refused the one before."""

    code = "nothing-refused"
    title = "The rail has not refused the payout"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"The rail has not refused the payout of {reference}, so there is no new order: it "
            "could be paid twice."
        )


class StillStuck(DomainError):
    code = "still-stuck"
    title = "The application still needs attention"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"{reference} still needs attention and this is the last incident that says so: "
            "restart or withdraw the application, or settle its payout; that resolves it."
        )


class NobodyCanDecide(DomainError):
    code = "nobody-can-decide"
    title = "Still nobody can decide it"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"Still nobody can decide {reference}: a superuser gives somebody the role, or hands "
            "over the tasks of somebody who is away; then this ends by itself."
        )


class NothingToResend(DomainError):
    code = "nothing-to-resend"
    title = "There is nothing to send again"

    def __init__(self, *, key: str, status: str) -> None:
        super().__init__(f"{key} was not given up: it is {status.lower()}.")


class ReferenceMissing(InvalidFields):
    """A payout was said to be paid, and neither the rail nor the person names its reference."""

    code = "reference-missing"
    title = "The rail's reference is missing"

    def __init__(self) -> None:
        sentence = "The rail does not say how it knows it: enter the reference on its statement."
        super().__init__({"rail_reference": [sentence]})


class NothingToHold(DomainError):
    code = "wrong-state"
    title = "The workflow is not in a state that allows this"


class SentFromItsDelivery(DomainError):
    code = "sent-from-its-delivery"
    title = "A webhook is sent again from its delivery"

    def __init__(self) -> None:
        super().__init__("A webhook is sent again from the page of its delivery.")
