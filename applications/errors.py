"""What can go wrong in this domain, by name, with the facts that a message needs.

Each class is one problem type of the API (``code``) and one sentence in the admin.
"""

from datetime import datetime

from django.utils import timezone

from applications.vocabulary import KeyState, Status


class ApplicationsError(Exception):
    """The root: something was refused, and nothing was written."""

    code = "refused"
    title = "Refused"
    http_status = 409


class InvalidApplication(ApplicationsError):
    """Field errors: ``errors`` maps a field's name to its sentences."""

    code = "invalid-application"
    title = "The application is not valid"
    http_status = 400

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{name}: {' '.join(said)}" for name, said in errors.items()))


class InvalidDocument(InvalidApplication):
    """Field errors of a file that is not kept."""

    code = "invalid-document"
    title = "The document is not valid"


class CaseNotOpen(ApplicationsError):
    code = "wrong-state"
    title = "The application is closed"

    def __init__(self, *, reference: str, status: str) -> None:
        super().__init__(
            f"{reference} is {Status(status).label.lower()}; a document can be added only while "
            "it is open."
        )


class TooManyDocuments(ApplicationsError):
    code = "too-many-documents"
    title = "The application has as many documents as it can have"

    def __init__(self, *, reference: str, most: int) -> None:
        super().__init__(f"{reference} has {most} documents, which is the most it can have.")


class TransitionRefused(ApplicationsError):
    code = "wrong-state"
    title = "The application is not in a state that allows this"

    def __init__(self, *, reference: str, current: Status, new: Status) -> None:
        self.reference, self.current, self.new = reference, current, new
        super().__init__(
            f"{reference} is {current.label.lower()}; it cannot become {new.label.lower()}."
        )


class NotEditable(ApplicationsError):
    code = "wrong-state"
    title = "The application can no longer be edited"

    def __init__(self, *, reference: str, status: str) -> None:
        super().__init__(
            f"{reference} is {Status(status).label.lower()}; only its contact details can change "
            "while it is open, and nothing once it is closed."
        )


class NotPermitted(ApplicationsError):
    code = "not-permitted"
    title = "You may not do this"
    http_status = 403


class FourEyesViolation(NotPermitted):
    """Whoever created, submitted or last edited an application cannot decide it."""

    code = "four-eyes"
    title = "Someone else has to decide"

    def __init__(self, *, reference: str, did: str, who: str = "You") -> None:
        super().__init__(f"{who} {did} {reference}, so someone else has to decide it.")


class AboveCeiling(NotPermitted):
    code = "above-ceiling"
    title = "The amount is above what you may decide"

    def __init__(self, *, reference: str, ceiling: str) -> None:
        super().__init__(
            f"{reference} is above the manager ceiling of {ceiling}; a senior manager decides it."
        )


class NothingToDecide(ApplicationsError):
    code = "nothing-to-decide"
    title = "Nothing is waiting for this decision"

    def __init__(self, *, reference: str, status: str) -> None:
        super().__init__(
            f"{reference} is {Status(status).label.lower()} and is not waiting for this decision."
        )


class AlreadyDecided(ApplicationsError):
    """Somebody was first. ``decided_by`` is for staff; the API leaves it out for partners."""

    code = "already-decided"
    title = "Already decided"

    def __init__(self, *, reference: str, outcome: str, decided_by: str, at: datetime) -> None:
        self.outcome, self.decided_by, self.at = outcome, decided_by, at
        when = timezone.localtime(at)
        super().__init__(
            f"{reference} was already decided ({outcome}) by {decided_by} "
            f"at {when:%Y-%m-%d %H:%M:%S}."
        )


class ClaimedBySomebodyElse(ApplicationsError):
    """Another person is on it. ``claimed_by`` is for staff."""

    code = "claimed"
    title = "Somebody else is on it"

    def __init__(
        self, *, reference: str, claimed_by: str, since: datetime, until: datetime
    ) -> None:
        self.claimed_by, self.since, self.until = claimed_by, since, until
        super().__init__(
            f"{reference} is claimed by {claimed_by} since {timezone.localtime(since):%H:%M}, "
            f"until {timezone.localtime(until):%H:%M} at most; they decide it or release it."
        )


class DecisionExpired(ApplicationsError):
    """The answer came too late. It is kept, shown as late, and counts for nothing."""

    code = "decision-expired"
    title = "The time to decide is over"

    def __init__(self, *, reference: str, at: datetime) -> None:
        super().__init__(
            f"{reference} could be decided until {timezone.localtime(at):%Y-%m-%d %H:%M}; "
            "a decision after that is kept as late and was not applied."
        )


class StaleVersion(ApplicationsError):
    code = "stale-version"
    title = "The application changed since you read it"

    def __init__(self, *, reference: str, read: int, current: int) -> None:
        self.read, self.current = read, current
        super().__init__(
            f"{reference} is at version {current}; you read version {read}. "
            "Read it again, then decide."
        )


class StaleOffer(ApplicationsError):
    code = "stale-offer"
    title = "This is not the current offer"

    def __init__(self, *, reference: str, current: str) -> None:
        self.current = current
        super().__init__(f"The offer of {reference} is {current} now; read it again, then answer.")


class ReasonRequired(ApplicationsError):
    code = "reason-required"
    title = "A reason is required"
    http_status = 400

    def __init__(self, *, reference: str, why: str = "A reason is required to decline.") -> None:
        self.errors = {"reason": [why]}
        super().__init__(f"A reason is required to decline {reference}.")


class UnknownReason(ApplicationsError):
    """The catalogue has no such reason (any more), or it is none for this."""

    code = "unknown-reason"
    title = "The reason is not in the catalogue"
    http_status = 400

    def __init__(self, *, reference: str, reason_code: str, why: str) -> None:
        self.errors = {"reason_code": [why]}
        super().__init__(f"{reference} cannot be declined for {reason_code}: {why}")


class InvalidDelegation(ApplicationsError):
    """Field errors: ``errors`` maps a field's name to its sentences."""

    code = "invalid-delegation"
    title = "The delegation is not valid"
    http_status = 400

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = errors
        super().__init__(" ".join(" ".join(said) for said in errors.values()))


class PayoutSettled(ApplicationsError):
    code = "payout-settled"
    title = "Nobody has to say what became of this payout"

    def __init__(self, *, reference: str, status: str) -> None:
        super().__init__(f"The payout of {reference} is not of unknown outcome: {status.lower()}.")


class PayoutFound(ApplicationsError):
    code = "payout-found"
    title = "The rail has paid"

    def __init__(self, *, reference: str, rail_reference: str) -> None:
        super().__init__(f"The rail says that it paid {reference} as {rail_reference}.")


class PayoutUnsettled(ApplicationsError):
    code = "payout-unsettled"
    title = "Nobody knows yet whether it was paid"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"Nobody knows whether {reference} was paid: say first whether it was, then restart."
        )


class RailUnreachable(ApplicationsError):
    code = "rail-unreachable"
    title = "The payout rail cannot be asked"
    http_status = 503

    def __init__(self, *, reference: str, why: str) -> None:
        super().__init__(
            f"The payout rail cannot be asked about {reference} now ({why}); nothing was changed."
        )


class StillStuck(ApplicationsError):
    code = "still-stuck"
    title = "The case still needs attention"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"{reference} still needs attention and this is the last incident that says so: "
            "restart or withdraw the case, or settle its payout; that resolves it."
        )


class NothingToResend(ApplicationsError):
    code = "nothing-to-resend"
    title = "There is nothing to send again"

    def __init__(self, *, key: str, status: str) -> None:
        super().__init__(f"{key} was not given up: it is {status.lower()}.")


class PolicyPublished(ApplicationsError):
    code = "policy-published"
    title = "A published policy is never changed"

    def __init__(self, *, version: int) -> None:
        super().__init__(f"Policy version {version} is published; publish a new version instead.")


class InvalidPolicy(InvalidApplication):
    """Field errors of a policy that cannot be published."""

    code = "invalid-policy"
    title = "The policy is not valid"


class NoPolicy(ApplicationsError):
    code = "no-policy"
    title = "No lending policy is published"

    def __init__(self) -> None:
        super().__init__("No lending policy is published, so nothing can be assessed.")


class NoCreditReports(ApplicationsError):
    code = "no-credit-reports"
    title = "No credit bureau answered"

    def __init__(self, *, reference: str) -> None:
        super().__init__(f"No credit bureau answered for {reference}, so it cannot be assessed.")


class CaseClosed(ApplicationsError):
    """A step found that its case has ended, or that a newer attempt carries it."""

    code = "case-closed"
    title = "The case is closed to this execution"

    def __init__(self, *, reference: str, why: str) -> None:
        self.reference, self.why = reference, why
        super().__init__(f"{reference}: {why}.")


class IdempotencyKeyReused(ApplicationsError):
    """The caller sent something else under this key in the last 24 hours."""

    code = "idempotency-key-reused"
    title = "The idempotency key stands for another request"
    http_status = 422

    def __init__(self, *, method: str, path: str) -> None:
        super().__init__(
            f"This Idempotency-Key stands for {method} {path} with the body that was sent then. "
            "Nothing was done; send what is new under a new key."
        )


class IdempotencyKeyInFlight(ApplicationsError):
    """The POST that has this key had not ended when the wait for it was over."""

    code = "idempotency-key-in-flight"
    title = "A request with this idempotency key is still in flight"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is still in flight. Nothing was done twice; "
            "try again with the same key."
        )


class KeyNotLive(ApplicationsError):
    code = "key-not-live"
    title = "The key is not live"

    def __init__(self, *, key: str, state: KeyState) -> None:
        super().__init__(f"{key} is {state.label.lower()}. Issue another key instead.")


class KeyReplacedAlready(ApplicationsError):
    code = "key-replaced-already"
    title = "The key was rotated already"

    def __init__(self, *, key: str, by: str, at: datetime) -> None:
        super().__init__(
            f"{key} was rotated at {timezone.localtime(at):%Y-%m-%d %H:%M}: {by} takes its place. "
            f"If nobody copied that key when it was shown, revoke it and rotate again."
        )


class KeyIssuedAlready(ApplicationsError):
    """The same form was sent a second time, and the first time it issued a key."""

    code = "key-issued-already"
    title = "The key was issued already"

    def __init__(self, *, key: str, at: datetime) -> None:
        super().__init__(
            f"This form issued the key {key} at {timezone.localtime(at):%Y-%m-%d %H:%M}. It was "
            "shown then and cannot be shown again. If nobody copied it, revoke it and issue "
            "another."
        )


class InvalidExpiry(ApplicationsError):
    code = "invalid-expiry"
    title = "The key cannot expire then"
    http_status = 400

    def __init__(self) -> None:
        super().__init__("A key expires in the future. To end it now, revoke it.")
