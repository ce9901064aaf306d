"""Base classes of the errors that services raise."""


class DomainError(Exception):
    """Base class: a service refused something, and nothing was written."""

    code = "refused"
    title = "Refused"
    http_status = 409

    def for_partners(self) -> str:
        """Return the sentence without the name of a member of staff."""
        return str(self)


class InvalidFields(DomainError):
    """Field errors: ``errors`` maps a field's name to its sentences."""

    http_status = 400

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = errors
        super().__init__(
            "; ".join(f"{name}: {' '.join(sentences)}" for name, sentences in errors.items())
        )


class NotPermitted(DomainError):
    code = "not-permitted"
    title = "You may not do this"
    http_status = 403
