"""Send a task back to the loan officers with a question, and answer it: a page for each.

Both are forms of the application. The question is also asked from a row of *My approvals*, to
which the page then returns; the answer is typed on the application's page.
"""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from applications.admin.view_helpers import ApplicationAction
from applications.models import LoanApplication
from audit import times
from core.admin.display import badge, moment, person_name
from core.errors import DomainError, InvalidFields
from reviews.admin import queue
from reviews.models import InformationRequest, ReviewTask
from reviews.services import information

ROWS = {"rows": 4, "cols": 60, "class": "reason"}


class QuestionForm(forms.Form):
    message = forms.CharField(
        label="Question",
        help_text="The loan officers read it, and it stays with the application. The applicant "
        "and the partner do not see it.",
        max_length=information.LONGEST,
        widget=forms.Textarea(attrs=ROWS),
    )


class AnswerForm(forms.Form):
    answer = forms.CharField(
        label="Answer", max_length=information.LONGEST, widget=forms.Textarea(attrs=ROWS)
    )


class InformationAction(ApplicationAction):
    """A form whose text stays in it when somebody else was first."""

    def refuse(self, refused: DomainError) -> HttpResponse:
        if self.request.method == "POST" and not isinstance(refused, InvalidFields):
            self.form.add_error(None, str(refused))
            return self.ask(status=refused.http_status)
        return super().refuse(refused)


class SendBack(InformationAction):
    """Send the application back with a question, instead of deciding it."""

    name = "send-back"
    route = "<int:pk>/tasks/<int:task_pk>/send-back/"
    label = "Send back"
    form_class = QuestionForm
    task: ReviewTask

    def get_row(self, pk: int, task_pk: int = 0) -> LoanApplication:
        application = super().get_row(pk)
        rows = ReviewTask.objects.select_related("application")
        self.task = get_object_or_404(rows, pk=task_pk, application=application)
        return application

    def check(self) -> None:
        information.information_check(
            application=self.row, task=self.task, user=self.user, now=timezone.now()
        )

    def act(self) -> str:
        information.information_ask(task=self.task, user=self.user, message=self.typed["message"])
        done = f"{self.row.reference} is sent back with your question."
        return f"{done} You are notified of the answer."

    def explanation(self) -> str:
        until = times.moment(self.task.expires_at)
        return (
            f"Your question goes to {answering(self.row, self.user)}. The time to decide does not "
            f"stop: it ends {until}. Whoever may decide still can, which ends the question."
        )

    def back(self) -> str:
        carried = queue.list_carried(self.request)
        return queue.list_url(carried) if carried else super().back()


class Answer(InformationAction):
    """Answer the question with which the application was sent back."""

    name = "answer"
    route = "<int:pk>/questions/<int:request_pk>/answer/"
    label = "Answer"
    form_class = AnswerForm
    question: InformationRequest

    def get_row(self, pk: int, request_pk: int = 0) -> LoanApplication:
        application = super().get_row(pk)
        rows = InformationRequest.objects.select_related(
            "task__application", "asked_by", "answered_by"
        )
        self.question = get_object_or_404(rows, pk=request_pk, task__application=application)
        return application

    def check(self) -> None:
        information.answer_check(request=self.question, user=self.user)

    def act(self) -> str:
        information.information_answer(
            request=self.question, user=self.user, answer=self.typed["answer"]
        )
        return f"Your answer is saved, and {person_name(self.question.asked_by)} is notified of it."

    def explanation(self) -> str:
        return f"{person_name(self.question.asked_by)} asks: “{self.question.message}”"


ACTIONS = (SendBack, Answer)


def answering(application: LoanApplication, asker: User) -> str:
    """Return who is asked to answer, for a sentence."""
    people = information.people_to_answer(application=application, asker=asker)
    return person_name(people[0]) if len(people) == 1 else "the loan officers"


def send_back_url(task: ReviewTask, carried: str = "") -> str:
    """Return the address of the page that asks, which leads back to the list that is carried."""
    args = [task.application_id, task.pk]
    query: dict[str, Any] | None = {queue.CARRIED: carried} if carried else None
    return reverse("admin:applications_loanapplication_send_back", args=args, query=query)


def answer_url(request: InformationRequest, application: LoanApplication) -> str:
    args = [application.pk, request.pk]
    return reverse("admin:applications_loanapplication_answer", args=args)


def question_state(request: InformationRequest) -> SafeString:
    """Return in words where a question stands, as in ``Sent back, waiting for an answer since``."""
    if request.answered_at is not None:
        return format_html("{} {}", badge("Answered", "info"), moment(request.answered_at))
    words = badge("Sent back", "wait")
    return format_html("{} waiting for an answer since {}", words, moment(request.asked_at))
