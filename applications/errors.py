"""Errors of applications, with the facts that a message needs.

Each class is one problem type of the API (``code``) and one sentence in the admin.
"""

from applications.choices import Status
from core.errors import DomainError, InvalidFields


class InvalidApplication(InvalidFields):
    """Field errors of an application that is not kept."""

    code = "invalid-application"
    title = "The application is not valid"


class DuplicateExternalId(DomainError):
    """The partner has an application under this ``external_id``; ``reference`` is its own."""

    code = "duplicate-external-id"
    title = "An application has this external_id already"

    def __init__(self, *, external_id: str, reference: str) -> None:
        self.reference = reference
        super().__init__(
            f"{reference} was submitted with the external_id “{external_id}” already; another "
            "application needs another one."
        )


class InvalidDocument(InvalidApplication):
    """Field errors of a file that is not kept."""

    code = "invalid-document"
    title = "The document is not valid"


class InvalidNote(InvalidFields):
    """Field errors of a note that is not kept."""

    code = "invalid-note"
    title = "The note is not valid"


class ApplicationNotOpen(DomainError):
    code = "wrong-state"
    title = "The application is closed"

    def __init__(self, *, reference: str, status: str) -> None:
        super().__init__(
            f"{reference} is {Status(status).label.lower()}; a document can be added only while "
            "it is open."
        )


class TooManyDocuments(DomainError):
    code = "too-many-documents"
    title = "The application has as many documents as it can have"

    def __init__(self, *, reference: str, most: int) -> None:
        super().__init__(f"{reference} has {most} documents, which is the most it can have.")


class TransitionRefused(DomainError):
    code = "wrong-state"
    title = "The application is not in a state that allows this"

    def __init__(self, *, reference: str, current: Status, new: Status) -> None:
        self.reference, self.current, self.new = reference, current, new
        super().__init__(
            f"{reference} is {current.label.lower()}; it cannot become {new.label.lower()}."
        )


class NotEditable(DomainError):
    code = "wrong-state"
    title = "The application can no longer be edited"

    def __init__(self, *, reference: str, status: str) -> None:
        super().__init__(
            f"{reference} is {Status(status).label.lower()}; only its contact details can change "
            "while it is open, and nothing once it is closed."
        )


class StaleVersion(DomainError):
    code = "stale-version"
    title = "The application changed since you read it"

    def __init__(self, *, reference: str, read: int, current: int) -> None:
        self.read, self.current = read, current
        super().__init__(
            f"{reference} is at version {current}; you read version {read}. "
            "Read it again, then decide."
        )


class PayoutSettled(DomainError):
    code = "payout-settled"
    title = "Nobody has to say what became of this payout"

    def __init__(self, *, reference: str, status: str) -> None:
        super().__init__(f"The payout of {reference} is not of unknown outcome: {status.lower()}.")


class PayoutInDoubt(DomainError):
    """The rail was ever sent an order and does not say now that nothing was and will be paid."""

    code = "payout-in-doubt"
    title = "Nobody can say now whether it was paid"

    def __init__(self, *, reference: str, why: str) -> None:
        super().__init__(f"An order to pay {reference} was sent, and {why}. Nothing was changed.")


class NoCreditReports(DomainError):
    code = "no-credit-reports"
    title = "No credit bureau answered"

    def __init__(self, *, reference: str) -> None:
        super().__init__(f"No credit bureau answered for {reference}, so it cannot be assessed.")


class ApplicationClosed(DomainError):
    """A step of an attempt may not write: the application is closed or a newer attempt runs."""

    code = "application-closed"
    title = "The application is closed to this execution"

    def __init__(self, *, reference: str, why: str) -> None:
        self.reference, self.why = reference, why
        super().__init__(f"{reference}: {why}.")
