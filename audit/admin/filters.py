"""Filters of the audit log. Each is a range of an index, together with the time."""

from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from audit.models import AuditEntry

OWN_APPS = (
    "partners",
    "lending",
    "applications",
    "reviews",
    "workflows",
    "webhooks",
    "accounts",
    "auth",
    "audit",
    "axes",
    "otp_totp",
)
MOST_PEOPLE = 200
PERIODS = {"1": "Past 24 hours", "7": "Past 7 days", "30": "Past 30 days", "90": "Past 90 days"}


class Lately(admin.SimpleListFilter):
    title = "time"
    parameter_name = "past"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(PERIODS.items())

    def since(self) -> datetime | None:
        """Return the beginning of the period that was chosen; ``None`` for no period."""
        days = self.value()
        return timezone.now() - timedelta(days=int(days)) if days and days in PERIODS else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        since = self.since()
        return queryset if since is None else queryset.filter(at__gte=since)


class Person(admin.SimpleListFilter):
    """Filter by members of staff; a partner is searched for by name."""

    title = "person"
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = User.objects.filter(is_staff=True).order_by("username")
        return [(name, name) for name in names.values_list("username", flat=True)[:MOST_PEOPLE]]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry]
    ) -> QuerySet[AuditEntry]:
        return queryset if self.value() is None else queryset.filter(who=self.value())


class ObjectKind(admin.SimpleListFilter):
    title = "about"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = [
            (model._meta.label_lower, str(model._meta.verbose_name).capitalize())
            for model in apps.get_models()
            if model._meta.app_label in OWN_APPS
        ]
        return sorted(found, key=lambda pair: pair[1])

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry]
    ) -> QuerySet[AuditEntry]:
        return queryset if self.value() is None else queryset.filter(object_kind=self.value())
