"""The bell in the header of every page: what the person has not read of their notifications."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.http import HttpRequest

from reviews.services.notifications import MOST, count_unread


@dataclass(frozen=True)
class Bell:
    """The number of the bell. ``shown``: ``3``, or ``99+`` for more than is counted."""

    unread: int

    @property
    def shown(self) -> str:
        return f"{MOST - 1}+" if self.unread >= MOST else str(self.unread)

    @property
    def sentence(self) -> str:
        if not self.unread:
            return "Notifications: nothing new"
        return f"Notifications: {self.shown} not read"

    @property
    def number(self) -> int:
        return self.unread

    @property
    def told(self) -> dict[str, int | str]:
        """The values that a page needs to show it."""
        return {"unread": self.unread, "shown": self.shown, "sentence": self.sentence}


def bell_of(request: HttpRequest) -> Bell | None:
    """Count what the user has not read; one query. ``None`` for who is no member of staff."""
    if not isinstance(request.user, User) or not request.user.is_staff:
        return None
    return Bell(count_unread(user=request.user))
