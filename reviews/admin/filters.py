"""List filters of review tasks."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from core.admin.base import staff
from reviews.choices import TaskStatus
from reviews.models import ReviewTask
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
        return [("yes", "Open, and mine to decide"), ("claimed", "Claimed by me")]

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
        if self.value() != "yes":
            return queryset
        return decisions.tasks_waiting_on(user=staff(request), now=now, among=queryset)
