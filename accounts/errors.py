"""Errors of sign-in, access and proposals. Each has a sentence for the person."""

from core.errors import DomainError, NotPermitted


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


class PasswordRefused(AccountsError):
    def __init__(self) -> None:
        super().__init__("That is not your password.")


class HashingBusy(Exception):
    """Too many passwords are being hashed; this one was not. A middleware answers with 503."""

    retry_after = 5  # seconds

    def __init__(self) -> None:
        super().__init__("Too many passwords are being hashed at this moment.")


class NotEnrolled(AccountsError):
    def __init__(self) -> None:
        super().__init__("There is no second factor to confirm.")


class OnlySuperusers(AccountsError, NotPermitted):
    def __init__(self) -> None:
        super().__init__("Only a superuser may do this.")


class InvitationOver(AccountsError):
    """Its link was used, is too old or wrong, or a newer invitation or another change ended it."""

    def __init__(self) -> None:
        super().__init__("This invitation is no longer valid.")


class NotToInvite(DomainError):
    """An invitation would be of no use, or would put another person in the account's place."""

    code = "not-to-invite"
    title = "Not to be invited"


class AccessChangedMeanwhile(DomainError):
    """Somebody else changed the person's roles after they were shown."""

    code = "access-changed"
    title = "Changed meanwhile"

    def __init__(self, *, username: str) -> None:
        super().__init__(
            f"The roles of {username} were changed after this page was shown. Look at them again."
        )


class LastSuperuser(DomainError):
    """Nobody would be left who may administer."""

    code = "last-superuser"
    title = "The last superuser"

    def __init__(self, *, username: str) -> None:
        super().__init__(
            f"{username} is the last superuser who can sign in. Make somebody else one first."
        )


# --- Proposals --------------------------------------------------------------------------


class ProposedAlready(DomainError):
    """Another proposal about the same is open."""

    code = "proposed-already"
    title = "Something else is proposed already"

    def __init__(self, *, title: str, by: str) -> None:
        super().__init__(
            f"{by} proposed something about this already, which is open: {title}. Confirm, reject "
            "or withdraw that one first."
        )


class OwnProposal(DomainError):
    code = "own-proposal"
    title = "Another person has to confirm it"
    http_status = 403

    def __init__(self, *, why: str) -> None:
        super().__init__(f"{why}: another person has to confirm it.")


class ProposalClosed(DomainError):
    """It was decided before; the sentence says how."""

    code = "proposal-closed"
    title = "The proposal is not open"


class ProposalVoid(DomainError):
    """It can no longer be confirmed, and is closed as void."""

    code = "proposal-void"
    title = "The proposal is void"

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"{reason} Nothing was done; propose it again.")
