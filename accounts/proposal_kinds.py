"""The kinds of proposals: acts that one person proposes and another has to confirm.

Each app registers its own kinds when it is ready. A part that is left out is an error at import,
a permission that does not exist one of ``manage.py check``. Knows no model, so that the
functions on AWS, which have no accounts, can load it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model

# In place of a permission: only superusers, whatever their roles.
SUPERUSER = "superuser"

type Parameters = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Description:
    """Exactly what would be done, in words: what the page shows to whoever confirms.

    ``rows`` are label, value before and value after. ``target`` is the object that it is about,
    ``reference`` the application's, if any. Stored with the proposal, so it holds no secret and
    no personal data.
    """

    title: str
    sentence: str
    rows: tuple[tuple[str, str, str], ...] = ()
    target: Model | None = None
    reference: str = ""


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """The two people of an act, and what ``prepare`` returned, for ``perform``.

    ``proposer`` is ``None`` for a command on the host. ``alone``: one person did both, as
    ``LOANOFFICE_SINGLE_ADMIN`` allows; otherwise ``ValueError`` is raised for one person.
    """

    proposer: User | None
    confirmer: User
    alone: bool
    prepared: Any = None

    def __post_init__(self) -> None:
        if self.proposer == self.confirmer and not self.alone:
            raise ValueError("One person cannot propose and confirm.")

    @property
    def details(self) -> dict[str, object]:
        """The details that the audit entry of the act says about the two."""
        return {
            "proposed_by": HOST if self.proposer is None else self.proposer.get_username(),
            "confirmed_by": self.confirmer.get_username(),
            **({"alone": "LOANOFFICE_SINGLE_ADMIN"} if self.alone else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The sentence that says what was done, and a secret that was made: shown once, not stored."""

    sentence: str
    secret: str = field(default="", repr=False)
    value_name: str = ""


HOST = "the host"


def _nothing(_: Parameters) -> None:
    """Stand for a part that a kind does not need."""


def _nobody(_: Parameters) -> frozenset[int]:
    return frozenset()


@dataclass(frozen=True, kw_only=True)
class ProposalKind:
    """One kind of act. Functions take the parameters, which are JSON and hold no secret.

    ``subject`` names what it is about: one proposal for it is open at a time. ``check`` raises
    the ``DomainError`` why it cannot be proposed. ``describe`` says what would be done, and
    ``state`` what that rests on: a proposal whose description or state is another by the time
    of the confirmation is void. ``prepare`` asks the outside, before the transaction; ``lock``
    locks what ``state`` reads, and ``perform`` does it, both inside of it. ``about`` are people
    who may not confirm because the act is about them.
    """

    name: str
    label: str
    propose: tuple[str, ...]  # any of these permissions, or ``SUPERUSER``
    confirm: tuple[str, ...]
    based_on: str  # as in: "The draft or the policy in force" has changed since
    subject: Callable[[Parameters], str]
    describe: Callable[[Parameters], Description]
    state: Callable[[Parameters], object]
    lock: Callable[[Parameters], object]
    perform: Callable[[Parameters, Confirmed], Outcome]
    check: Callable[[Parameters], object] = _nothing
    prepare: Callable[[Parameters], object] = _nothing
    about: Callable[[Parameters], frozenset[int]] = _nobody
    # Whether ``LOANOFFICE_SINGLE_ADMIN`` lets one person do both. Never where money moves.
    may_confirm_alone: bool = False

    def __post_init__(self) -> None:
        if not self.propose or not self.confirm:
            raise ValueError(f"{self.name}: nobody could propose or confirm it.")


KINDS: dict[str, ProposalKind] = {}


def register(kind: ProposalKind) -> ProposalKind:
    """Add a kind. Raises ``ValueError`` when another has its name."""
    if KINDS.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"There are two kinds of proposals named {kind.name}.")
    return kind


def holds(person: User, rights: tuple[str, ...]) -> bool:
    """Tell whether an active person has one of the rights, as read with this instance."""
    return person.is_active and any(
        person.is_superuser if right == SUPERUSER else person.has_perm(right) for right in rights
    )
