"""Write and read internal notes on an application. Whom a note mentions hears of it by a signal."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from accounts.rights import people_holding, person_now
from applications.errors import InvalidNote
from applications.locking import application_lock
from applications.mentions import MAY_END, mentions_in, name_of
from applications.models import ApplicationNote, LoanApplication
from applications.services.timeline import event_record, text_for_everybody
from applications.signals import note_added
from core.errors import NotPermitted

ADD = "applications.add_applicationnote"
SEE = "applications.view_loanapplication"
NOTED = "noted"  # the kind of the timeline entry
LONGEST_NOTE = 2_000  # characters
MOST_MENTIONS = 20  # people


def note_check(*, user: User) -> None:
    """Raise ``NotPermitted`` unless ``user`` may write notes."""
    if not user.has_perms((ADD, SEE)):
        raise NotPermitted("You may not add a note.")


@transaction.atomic
def note_add(*, reference: str, user: User, text: str) -> ApplicationNote:
    """Add a note; whoever it mentions as ``@name`` is notified, unless they wrote it.

    Contact details in it are masked, as in every text that somebody types about an application.
    Raises ``LoanApplication.DoesNotExist``, ``NotPermitted`` and ``InvalidNote``.
    """
    application = application_lock(reference)
    person = person_now(user)
    if person is None:
        raise NotPermitted("You may not sign in any more.")
    note_check(user=person)
    typed = text.replace("\r\n", "\n").strip()
    if problem := _problem(typed):
        raise InvalidNote({"text": [problem]})
    note = ApplicationNote.objects.create(
        application=application,
        author=person,
        author_roles=", ".join(person.groups.order_by("name").values_list("name", flat=True)),
        text=text_for_everybody(typed, application),
        mentions=[{"user": each.pk, "name": each.get_username()} for each in _mentioned(typed)],
    )
    event_record(
        application=application,
        kind=NOTED,
        message="Added a note.",  # its text is in the note alone
        is_internal=True,
        actor=person,
        data={"note": note.pk},
    )
    note_added.send(ApplicationNote, note=note)
    return note


def notes_of(*, application: LoanApplication) -> QuerySet[ApplicationNote]:
    """Return the notes on an application, the newest first, each with its author; one query."""
    return application.notes.select_related("author").order_by("-pk")


def mentionable() -> list[User]:
    """Return who can be mentioned: the active staff who see applications, by name; one query."""
    return sorted(people_holding([SEE]), key=lambda person: person.get_username().casefold())


def _problem(text: str) -> str:
    if not text:
        return "Write a note."
    if len(text) > LONGEST_NOTE:
        return f"Write at most {LONGEST_NOTE:,} characters; these are {len(text):,}."
    return ""


def _mentioned(text: str) -> Sequence[User]:
    """Return the people whom a text mentions, in its order. Raises ``InvalidNote``."""
    mentions = dict.fromkeys(mentions_in(text))
    if not mentions:
        return []
    people = {person.get_username(): person for person in mentionable()}
    named = {mention: name_of(mention, names=people) for mention in mentions}
    unknown = dict.fromkeys(f"@{each.rstrip(MAY_END)}" for each in named if named[each] is None)
    if unknown:
        raise InvalidNote(
            {
                "text": [
                    "No colleague who may see this application has the user name "
                    f"{', '.join(unknown)}. Correct it, or leave out the @ if nobody is meant."
                ]
            }
        )
    found = [people[name] for name in dict.fromkeys(named.values()) if name is not None]
    if len(found) > MOST_MENTIONS:
        problem = f"A note mentions at most {MOST_MENTIONS} people; these are {len(found)}."
        raise InvalidNote({"text": [problem]})
    return found
