"""What can go wrong on the way to the engine and to the outside, by name."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Told:
    """What came of one try at a webhook. ``status_code`` 0: no answer, and ``error`` says why."""

    status_code: int = 0
    response: str = ""
    error: str = ""
    address: str = ""
    took_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class EngineError(Exception):
    """The engine said no, or could not be reached."""


class EngineUnavailable(EngineError):
    """Throttled, unreachable or failing: worth another try."""


class CallbackClosed(EngineError):
    """The engine no longer waits for this callback: answered, timed out or stopped."""


class EngineConflict(EngineError):
    """The engine is in a state that does not allow this: an update, a pause, an end."""


class AlreadyStarted(EngineError):
    """The execution's name is taken by another payload."""


class NotFound(EngineError):
    """The engine does not know this function, execution or callback."""


class ProviderError(Exception):
    """An outside service did not answer as it should; the request may be repeated."""


class PayoutRefused(Exception):
    """The rail said no, for good: nothing was paid."""


class PayoutUnknown(Exception):
    """Nobody knows whether the rail paid; it must not be asked to pay again."""


class WebhookError(Exception):
    """A webhook was not accepted; it is tried again. ``told`` is what came of the try."""

    def __init__(self, told: Told) -> None:
        self.told = told
        super().__init__(told.error or f"the endpoint answered {told.status_code}")


class EndpointGone(WebhookError):
    """The endpoint answered 410: nothing is to be sent there any more."""
