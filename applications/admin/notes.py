"""The notes on an application's page, and the action that adds one from a form there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, override

from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import HttpResponse, HttpResponseRedirect

from applications.admin.forms import NoteForm
from applications.admin.view_helpers import ApplicationAction
from applications.models import ApplicationNote, LoanApplication
from applications.services import notes
from core.admin.row_actions import row_url

FIRST_SHOWN = 10  # the rest is folded


@dataclass(frozen=True)
class Notes:
    """The notes of one page, the newest first."""

    rows: Sequence[ApplicationNote]

    @property
    def newest(self) -> Sequence[ApplicationNote]:
        return self.rows[:FIRST_SHOWN]

    @property
    def earlier(self) -> Sequence[ApplicationNote]:
        return self.rows[FIRST_SHOWN:]


class NotesOfPage:
    """The part of an application's page that has its notes; one query."""

    application: LoanApplication

    @cached_property
    def notes(self) -> Notes:
        return Notes(list(notes.notes_of(application=self.application)))


class AddNote(ApplicationAction):
    """Add an internal note; a refusal is shown in the form on the application's page.

    Asked for by itself, the form says who can be mentioned.
    """

    name = "note"
    label = "Add a note"
    button = "Add note"
    form_class = NoteForm
    template_name = "applications/admin/note.html"

    @override
    def check(self) -> None:
        notes.note_check(user=self.user)

    @override
    def act(self) -> HttpResponse:
        note = notes.note_add(reference=self.row.reference, user=self.user, text=self.typed["text"])
        self.model_admin.message_user(self.request, "The note is added.", messages.SUCCESS)
        return HttpResponseRedirect(f"{row_url(self.row)}#note-{note.pk}")

    @override
    def back(self) -> str:
        return f"{row_url(self.row)}#notes"

    @override
    def shown(self) -> dict[str, Any]:
        people = notes.mentionable()
        prefetch_related_objects(people, "groups")
        return {"people": people}

    @override
    def ask(self, status: int = 200) -> HttpResponse:
        if self.request.method != "POST":
            return super().ask(status)
        self.form.fields["text"].widget.attrs["autofocus"] = True
        page: HttpResponse = self.model_admin.draw_with(self.request, self.row, note_form=self.form)
        return page
