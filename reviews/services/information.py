"""Send a task back to the loan officers with a question, and answer it.

The task stays open, with its claim by others, its deadlines and its callback: the workflow does
not hear of it. Lock order: application, task, question.
"""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts.rights import people_holding
from applications.locking import application_lock
from applications.models import LoanApplication
from applications.services.timeline import event_record, text_for_everybody
from applications.signals import application_contributed
from core.errors import InvalidFields, NotPermitted
from core.locking import locked
from reviews import errors
from reviews.choices import NotificationKind, RequestStatus, TaskKind
from reviews.kinds import REVIEW_KINDS
from reviews.locking import task_lock
from reviews.models import InformationRequest, ReviewTask
from reviews.selectors import ANSWER
from reviews.services.authority import Facts, person_or_refuse
from reviews.services.decisions import facts_check
from reviews.services.delegation import Rights
from reviews.services.notifications import Content, notifications_add, notifications_close
from reviews.services.open_requests import subject_of
from reviews.signals import information_answered, information_asked

LONGEST = 2000  # characters of a question or an answer
SHOWN = 200  # characters of it behind the bell


def information_check(
    *, application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> User | None:
    """Raise the reason why ``user`` may not send ``task`` back now.

    Returns whose authority they use, as ``decisions.decision_check`` does.
    """
    return _ask_check(Facts(application, task), Rights(user, now), now)


@transaction.atomic
def information_ask(*, task: ReviewTask, user: User, message: str) -> InformationRequest:
    """Send a task back with a question. Who asks may decide it, and their claim ends.

    The submitter is notified, or where they cannot answer, everybody who can
    (``people_to_answer``). Raises what ``task_decide`` raises of who may not decide,
    ``QuestionOpen``, and ``InvalidFields`` for a question that is empty or too long.
    """
    application = application_lock(task.application.reference)
    task = task_lock(task.pk)
    task.application = application
    now = timezone.now()  # under the lock, so that times follow the order of what happened
    person = person_or_refuse(user)
    right = _ask_check(Facts(application, task), Rights(person, now), now)
    text = _read("message", message, application)
    request = InformationRequest.objects.create(
        task=task,
        number=task.information_requests.count() + 1,
        message=text,
        asked_by=person,
        on_behalf_of=right,
        asked_at=now,
    )
    task.sent_back_at = now
    if task.claimed_by_id == person.pk:
        task.claimed_by = task.claimed_at = None
    task.save(update_fields=["sent_back_at", "claimed_by", "claimed_at"])
    on_behalf_of = {} if right is None else {"on_behalf_of": right.get_username()}
    _record(request, person, "sent_back", "sent back with a question", text, **on_behalf_of)
    sentence = f"{application.reference}: sent back with a question: “{_short(text)}”"
    people = people_to_answer(application=application, asker=person)
    _notify(request, NotificationKind.SENT_BACK, sentence, people)
    information_asked.send(InformationRequest, request=request)
    return request


def answer_check(*, request: InformationRequest, user: User) -> None:
    """Raise the reason why ``user`` may not answer this question now.

    Any loan officer may who may edit applications, whoever submitted it; not the one who asked.
    """
    reference = request.task.application.reference
    if not user.has_perm(ANSWER):
        raise NotPermitted("Only a loan officer may answer a question about an application.")
    if request.asked_by_id == user.pk:
        raise NotPermitted("You asked this question; someone else has to answer it.")
    if request.answered_by is not None and request.answered_at is not None:
        by = request.answered_by.get_username()
        raise errors.QuestionAnswered(reference=reference, answered_by=by, at=request.answered_at)
    if request.cancelled_at is not None:
        raise errors.QuestionCancelled(reference=reference, at=request.cancelled_at)


@transaction.atomic
def information_answer(
    *, request: InformationRequest, user: User, answer: str
) -> InformationRequest:
    """Answer a question once. Who answers worked on the application, and does not decide it.

    Who asked is notified. Raises ``NotPermitted``, ``QuestionAnswered``, ``QuestionCancelled``,
    and ``InvalidFields`` for an answer that is empty or too long.
    """
    application = application_lock(request.task.application.reference)
    task = task_lock(request.task_id)
    rows = locked(InformationRequest.objects.select_related("answered_by", "asked_by"))
    request = rows.get(pk=request.pk)
    task.application, request.task = application, task
    person = person_or_refuse(user)
    answer_check(request=request, user=person)
    text = _read("answer", answer, application)
    request.status = RequestStatus.ANSWERED
    request.answer, request.answered_by, request.answered_at = text, person, timezone.now()
    request.save(update_fields=["status", "answer", "answered_by", "answered_at"])
    task.sent_back_at = None
    task.save(update_fields=["sent_back_at"])
    _record(request, person, "question_answered", "the question was answered", text)
    notifications_close(subject=subject_of(request))
    asker = request.asked_by
    sentence = f"{application.reference}: your question was answered: “{_short(text)}”"
    asked = [asker] if asker.is_active and asker.is_staff else []
    _notify(request, NotificationKind.ANSWERED, sentence, asked)
    information_answered.send(InformationRequest, request=request)
    application_contributed.send(LoanApplication, application=application)
    return request


def people_to_answer(*, application: LoanApplication, asker: User) -> list[User]:
    """Return who is asked to answer: the submitter, or all who may where the submitter may not.

    So for a partner's application everybody, and for one whose submitter left or has another
    role. The same rule as ``selectors.to_answer``, for one question.
    """
    people = [user for user in people_holding({ANSWER}) if user != asker]
    return [user for user in people if user.pk == application.submitted_by_id] or people


def _ask_check(facts: Facts, rights: Rights, now: datetime) -> User | None:
    right = facts_check(facts=facts, rights=rights, now=now)
    if not facts.row.decided_by_staff:
        raise NotPermitted("Only what the office decides is sent back to a loan officer.")
    asked = InformationRequest.objects.filter(task=facts.task, status=RequestStatus.OPEN)
    before = asked.select_related("asked_by").first()
    if before is not None:
        raise errors.QuestionOpen(
            reference=facts.application.reference,
            asked_by=before.asked_by.get_username(),
            since=before.asked_at,
        )
    return right


def _read(name: str, typed: str, application: LoanApplication) -> str:
    text = text_for_everybody(typed.strip(), application)
    if not text:
        raise InvalidFields({name: ["This field is required."]})
    if len(text) > LONGEST:
        raise InvalidFields({name: [f"At most {LONGEST:,} characters."]})
    return text


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3].rstrip()}..."


def _notify(
    request: InformationRequest, kind: NotificationKind, sentence: str, people: list[User]
) -> None:
    task = request.task
    content = Content(
        kind=kind,
        sentence=sentence,
        path=f"/admin/applications/loanapplication/{task.application_id}/change/",
        task=task.pk,
        subject=subject_of(request) if kind == NotificationKind.SENT_BACK else "",
    )
    key = f"information/{request.pk}/{kind.value}"
    notifications_add(key=key, content=content, people=[user.pk for user in people])


def _record(
    request: InformationRequest, person: User, kind: str, what: str, text: str, **more: str
) -> None:
    task = request.task
    event_record(
        application=task.application,
        kind=kind,
        message=f"{task.get_kind_display()}: {what}: “{text}”",
        step=REVIEW_KINDS[TaskKind(task.kind)].step,
        is_internal=True,
        actor=person,
        data={"task": task.pk, "question": request.number, **more},
    )
