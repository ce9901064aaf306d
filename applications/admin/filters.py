"""List filters that Django does not have."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from applications.admin.base import staff
from applications.models import LoanApplication, ReviewTask
from applications.services import review
from applications.vocabulary import TaskStatus


class PastDays(admin.SimpleListFilter):
    """Created in the past N days: an index range, where a date hierarchy reads every row."""

    title = "created"
    parameter_name = "past"

    def lookups(
        self,
        request: HttpRequest,  # noqa: ARG002
        model_admin: Any,  # noqa: ARG002
    ) -> list[tuple[str, str]]:
        return [
            ("1", "Past 24 hours"),
            ("7", "Past 7 days"),
            ("30", "Past 30 days"),
            ("90", "Past 90 days"),
        ]

    def queryset(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[LoanApplication],
    ) -> QuerySet[LoanApplication]:
        if self.value() not in {"1", "7", "30", "90"}:
            return queryset
        return queryset.filter(
            created_at__gte=timezone.now() - timedelta(days=int(self.value() or 0))
        )


class Overdue(admin.SimpleListFilter):
    """Open tasks whose time to decide is over; nothing is decided by that."""

    title = "overdue"
    parameter_name = "overdue"

    def lookups(
        self,
        request: HttpRequest,  # noqa: ARG002
        model_admin: Any,  # noqa: ARG002
    ) -> list[tuple[str, str]]:
        return [("yes", "Open, and overdue")]

    def queryset(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[ReviewTask],
    ) -> QuerySet[ReviewTask]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(status=TaskStatus.OPEN, due_at__lte=timezone.now())


class WaitingOnMe(admin.SimpleListFilter):
    """My approvals: open tasks that the person who looks may decide now."""

    title = "waiting on me"
    parameter_name = "mine"

    def lookups(
        self,
        request: HttpRequest,  # noqa: ARG002
        model_admin: Any,  # noqa: ARG002
    ) -> list[tuple[str, str]]:
        return [("yes", "Open, and mine to decide")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReviewTask]
    ) -> QuerySet[ReviewTask]:
        if self.value() != "yes":
            return queryset
        mine = review.tasks_decidable(user=staff(request), now=timezone.now())
        return queryset.filter(pk__in=mine.values("pk"))
