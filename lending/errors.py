"""Errors of the lending policy."""

from core.errors import DomainError, InvalidFields


class PolicyPublished(DomainError):
    code = "policy-published"
    title = "A published policy is never changed"

    def __init__(self, *, version: int) -> None:
        super().__init__(f"Policy version {version} is published; publish a new version instead.")


class InvalidPolicy(InvalidFields):
    """Field errors of a policy that cannot be published."""

    code = "invalid-policy"
    title = "The policy is not valid"


class NoPolicy(DomainError):
    code = "no-policy"
    title = "No lending policy is published"

    def __init__(self) -> None:
        super().__init__("No lending policy is published, so nothing can be assessed.")


class UnusablePolicy(DomainError):
    """A restart chose a version that is not in force, or lends in another currency."""

    code = "unusable-policy"
    title = "This policy version cannot be chosen"
