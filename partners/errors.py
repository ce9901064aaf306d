"""Errors of partner keys and idempotency keys."""

from datetime import datetime

from audit.times import moment
from core.errors import DomainError
from partners.choices import KeyState


class IdempotencyKeyReused(DomainError):
    """The caller sent another request under this key in the last 24 hours."""

    code = "idempotency-key-reused"
    title = "The idempotency key stands for another request"
    http_status = 422

    def __init__(self, *, method: str, path: str) -> None:
        super().__init__(
            f"This Idempotency-Key stands for {method} {path} with the body that was sent then. "
            "Nothing was done; send what is new under a new key."
        )


class IdempotencyKeyInFlight(DomainError):
    """The POST that has this key did not end within the wait for it."""

    code = "idempotency-key-in-flight"
    title = "A request with this idempotency key is still in flight"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is still in flight. Nothing was done twice; "
            "try again with the same key."
        )


class KeyNotLive(DomainError):
    code = "key-not-live"
    title = "The key is not live"

    def __init__(self, *, key: str, state: KeyState) -> None:
        super().__init__(f"{key} is {state.label.lower()}. Issue another key instead.")


class KeyReplacedAlready(DomainError):
    code = "key-replaced-already"
    title = "The key was rotated already"

    def __init__(self, *, key: str, by: str, at: datetime) -> None:
        super().__init__(
            f"{key} was rotated at {moment(at)}: {by} takes its place. "
            f"If nobody copied that key when it was shown, revoke it and rotate again."
        )


class KeyIssuedAlready(DomainError):
    """The same form was sent a second time; the first time it issued a key."""

    code = "key-issued-already"
    title = "The key was issued already"

    def __init__(self, *, key: str, at: datetime) -> None:
        super().__init__(
            f"This form issued the key {key} at {moment(at)}. It was "
            "shown then and cannot be shown again. If nobody copied it, revoke it and issue "
            "another."
        )


class InvalidExpiry(DomainError):
    code = "invalid-expiry"
    title = "The key cannot expire then"
    http_status = 400

    def __init__(self) -> None:
        super().__init__("A key expires in the future. To end it now, revoke it.")
