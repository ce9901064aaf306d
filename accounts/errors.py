"""Errors of sign-in. Each has a sentence for the person."""


class AccountsError(Exception):
    """Base class: an error whose sentence is shown to the person."""


class CodeRefused(AccountsError):
    def __init__(self) -> None:
        super().__init__("That code is not right, or was used already. Wait for the next one.")


class TooManyCodes(AccountsError):
    def __init__(self, *, seconds: int) -> None:
        self.seconds = seconds
        many = "second" if seconds == 1 else "seconds"
        super().__init__(f"Too many wrong codes. The next one is taken in {seconds} {many}.")


class NotEnrolled(AccountsError):
    def __init__(self) -> None:
        super().__init__("There is no second factor to confirm.")


class OnlySuperusers(AccountsError):
    def __init__(self) -> None:
        super().__init__("Only a superuser may do this.")
