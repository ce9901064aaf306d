"""Letters to members of staff, their recipients, and the maker of every e-mail of the product."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple

from django.conf import settings
from django.core.mail import EmailMessage

from audit.times import zone_sentence
from reviews.services.notifications import Content


class Weight(Enum):
    """The time within which one person has to hear of something by e-mail."""

    ALWAYS = auto()  # about their own access, or their digest: whatever they chose
    URGENT = auto()
    ROUTINE = auto()  # a digest is soon enough


class Recipient(NamedTuple):
    """A user who hears of something, and what they are notified of besides the letter."""

    user: int
    weight: Weight
    content: Content | None = None


class Letter(NamedTuple):
    """A letter to members of staff: who gets it, and what it says to one of them (``user``)."""

    audience: Callable[[dict[str, Any]], list[Recipient]]
    build: Callable[[dict[str, Any]], EmailMessage | None]
    keeps_text: bool = True  # on record; false where it holds a secret, or what few may read


# Letters of other modules, by what their payload names.
LETTERS: dict[str, Letter] = {}


def letter_to(to: str | list[str], subject: str, body: str) -> EmailMessage | None:
    """A letter to these addresses, which names the time zone; ``None`` without an address.

    Every e-mail of the product is made here.
    """
    addresses = [address for address in ([to] if isinstance(to, str) else to) if address]
    if not addresses:
        return None
    body = f"{body}\n\n{zone_sentence()}"
    return EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, addresses)
