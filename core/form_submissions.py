"""Do what a form asks for once, however often it is sent, and keep what it did for the repeats.

The row of the form's token, the work and the outcome are committed together. A second sending
waits for the first to end, and finds its outcome, or nothing if it failed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core.errors import DomainError
from core.locking import StillLocked, claimed, locked_if_free
from core.models import FormSubmission

# A token ends with its session, which lasts a working day: no repeat comes later than this.
KEPT = timedelta(days=2)
LONGEST_WAIT = timedelta(seconds=10)  # for another sending of the same form


class FormUnderWay(DomainError):
    """Another sending of the form has not ended in time."""

    code = "form-under-way"
    title = "The form is being worked on"

    def __init__(self) -> None:
        super().__init__(
            "This form was sent a moment ago and is still being worked on. See what became of it "
            "before you send another."
        )


@dataclass(frozen=True)
class SentForm:
    """One sending of a form. Without a token nothing is stored of it."""

    user: User
    token_hash: str
    contents_hash: str


@dataclass(frozen=True)
class FormOutcome:
    """The result of a form: where it leads, and the messages, as ``FormSubmission`` has them."""

    location: str
    said: list[tuple[int, str, bool, str]]


def submission_of(form: SentForm) -> FormSubmission | None:
    """Return the outcome of an earlier sending, if there is one; no lock is taken."""
    if not form.token_hash:
        return None
    return _rows(form).exclude(location="").first()


def form_process[T](
    *, form: SentForm, work: Callable[[], tuple[T, FormOutcome | None]]
) -> T | FormSubmission:
    """Do the work of a form in one transaction, or return the outcome that it had before.

    Work without an outcome, and a domain error, leave the form unsent: it may be corrected and
    sent again. A domain error ends the transaction as it would end without one around it: what
    services committed stays, as a proposal that was found void. Anything else is rolled back.
    Raises ``FormUnderWay``, and what ``work`` raises. Call it outside of a transaction.
    """
    if not form.token_hash:
        with transaction.atomic(durable=True):
            done = _attempt(work)
        return _given(done)
    try:
        with claimed(lambda: _claim(form), longest_wait=LONGEST_WAIT) as row:
            if row.location:
                return row
            done = _attempt(work)
            if isinstance(done, DomainError) or done[1] is None:
                row.delete()
            else:
                row.location, row.said = done[1].location, done[1].said
                row.save(update_fields=["location", "said"])
    except StillLocked as error:
        raise FormUnderWay from error
    return _given(done)


def form_submissions_forget(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` rows whose token is no longer valid; return how many.

    For the sweep.
    """
    old = FormSubmission.objects.filter(created_at__lte=now - KEPT)
    if not old.exists():  # a read without a lock: mostly there is nothing to delete
        return 0
    with transaction.atomic():
        found = list(locked_if_free(old).values_list("pk", flat=True)[:limit])
        FormSubmission.objects.filter(pk__in=found).delete()
    return len(found)


def _claim(form: SentForm) -> FormSubmission:
    """Return the row of the form; one without a location is this sending's own.

    Where another transaction has written or deleted that row, the insert waits for its end.
    """
    while True:  # again when the sweep deleted it between the two
        row = FormSubmission(
            user=form.user,
            token_hash=form.token_hash,
            contents_hash=form.contents_hash,
            created_at=timezone.now(),
        )
        FormSubmission.objects.bulk_create([row], ignore_conflicts=True)
        found = _rows(form).first()
        if found is not None:
            return found


def _rows(form: SentForm) -> "QuerySet[FormSubmission]":
    return FormSubmission.objects.filter(user=form.user, token_hash=form.token_hash)


def _attempt[T](
    work: Callable[[], tuple[T, FormOutcome | None]],
) -> tuple[T, FormOutcome | None] | DomainError:
    """Return what was done, or the refusal unraised, so that the transaction is committed."""
    try:
        return work()
    except DomainError as refusal:
        return refusal


def _given[T](done: tuple[T, FormOutcome | None] | DomainError) -> T:
    if isinstance(done, DomainError):
        raise done
    return done[0]
