"""Base classes of the errors that services raise."""


class DomainError(Exception):
    """The root: something was refused, and nothing was written."""

    code = "refused"
    title = "Refused"
    http_status = 409


class NotPermitted(DomainError):
    code = "not-permitted"
    title = "You may not do this"
    http_status = 403
