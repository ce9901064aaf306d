"""What can go wrong on the way to the engine and to outside providers, by name."""


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
