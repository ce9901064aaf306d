"""Read and change which e-mails about work one person gets, and tell when digests are written.

Without a choice it is a digest.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.models import Action
from audit.services import entry_record
from audit.times import hour_of_day
from reviews.choices import MailMode
from reviews.models import MailChoice

# From this hour on, by the clocks of the office, the digests of a day are written.
DIGEST_HOUR = 7


def digest_at(day: date) -> datetime:
    """Return from when on the digests of a day of the office are written."""
    return hour_of_day(day, DIGEST_HOUR)


def next_digest(now: datetime) -> datetime:
    """Return when the next digests are written, after ``now``."""
    today = timezone.localdate(now)
    later_today = digest_at(today)
    return later_today if now < later_today else digest_at(today + timedelta(days=1))


def mail_mode(*, user: User) -> MailMode:
    """Return what a person chose."""
    return mail_modes(people=[user.pk])[user.pk]


def mail_modes(*, people: Collection[int]) -> dict[int, MailMode]:
    """Return what each of these people chose; one query."""
    chosen = dict(MailChoice.objects.filter(user__in=people).values_list("user", "mode"))
    return {person: MailMode(chosen.get(person, MailMode.DIGEST)) for person in people}


def people_with_digest() -> QuerySet[User]:
    """Select the active staff with an address who get a digest."""
    others = MailChoice.objects.exclude(mode=MailMode.DIGEST).values("user")
    return (
        User.objects.filter(is_active=True, is_staff=True).exclude(email="").exclude(pk__in=others)
    )


@transaction.atomic
def mail_mode_set(*, user: User, mode: MailMode) -> bool:
    """Store what a person chose; false if it is what they had."""
    before = mail_mode(user=user)
    if mode == before:
        return False
    MailChoice.objects.update_or_create(user=user, defaults={"mode": mode})
    entry_record(
        action=Action.CHANGED,
        message="Chose which e-mails about work to get.",
        actor=user,
        target=user,
        changes={"e-mails": (before.label, mode.label)},
    )
    return True
