"""List filters of review tasks and decisions, and of applications by their reviews."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from applications.choices import IN_WORK
from applications.models import LoanApplication
from audit.times import day_begins
from core.admin.base import staff
from reviews.choices import TaskStatus
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import AGES, ANSWER, asked_again, given_by, of_age, sent_back, to_answer
from reviews.services import decisions
from reviews.services.authority import CLAIM_LASTS


class Overdue(admin.SimpleListFilter):
    """Filter open tasks that are past their due time."""

    title = "overdue"
    parameter_name = "overdue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Open, and overdue")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReviewTask]
    ) -> QuerySet[ReviewTask]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(status=TaskStatus.OPEN, due_at__lte=timezone.now())


class WaitingOnMe(admin.SimpleListFilter):
    """Filter open tasks that this person may decide, including those claimed by somebody else."""

    title = "waiting on me"
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("yes", "Open, and mine to decide"),
            ("free", "The same, not claimed by others"),
            ("claimed", "Claimed by me"),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReviewTask]
    ) -> QuerySet[ReviewTask]:
        now = timezone.now()
        if self.value() == "claimed":
            return queryset.filter(
                claimed_by=staff(request),
                claimed_at__gt=now - CLAIM_LASTS,
                status=TaskStatus.OPEN,
            )
        if self.value() == "free":
            return decisions.tasks_decidable(user=staff(request), now=now, among=queryset)
        if self.value() != "yes":
            return queryset
        return decisions.tasks_waiting_on(user=staff(request), now=now, among=queryset)


class Waited(admin.SimpleListFilter):
    """Filter open tasks by how long they have waited, in the groups of the front page."""

    title = "waited"
    parameter_name = "waited"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(place), label) for place, (_, label) in enumerate(AGES)]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReviewTask]
    ) -> QuerySet[ReviewTask]:
        groups = {str(place): place for place in range(len(AGES))}
        place = groups.get(self.value() or "")
        if place is None:
            return queryset
        condition = of_age(place, now=timezone.now())
        return queryset.filter(condition, status=TaskStatus.OPEN)


class DecidedByMe(admin.SimpleListFilter):
    """Filter decisions by who gave them: the person who looks, today."""

    title = "decided by me"
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("today", "By me, today")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReviewDecision]
    ) -> QuerySet[ReviewDecision]:
        if self.value() != "today":
            return queryset
        today = day_begins(timezone.localdate())
        return queryset.filter(given_by(staff(request), since=today))


class AskedAgain(admin.SimpleListFilter):
    """Filter applications whose approvals were voided. The front page leads here."""

    title = "approvals"
    parameter_name = "approvals"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("voided", "Voided, and asked again")]

    def has_output(self) -> bool:
        return self.value() == "voided"

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        return queryset.filter(asked_again(), status__in=IN_WORK)


class SentBack(admin.SimpleListFilter):
    """Filter applications that were sent back with a question which has no answer yet."""

    title = "sent back"
    parameter_name = "sent_back"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        mine = [("mine", "With a question to me")] if request.user.has_perm(ANSWER) else []
        return [*mine, ("open", "Waiting for an answer")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        if self.value() == "mine":
            return queryset.filter(to_answer(staff(request)))
        return queryset.filter(sent_back()) if self.value() == "open" else queryset
