"""The page behind the bell: what a person is notified of, and buttons that mark it as read."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from core.admin.base import staff
from core.admin.sent_once import answer_once
from core.site_urls import path_here
from reviews.choices import NotificationKind, TaskStatus
from reviews.models import Notification
from reviews.services.notifications import LISTED, notifications_of, notifications_read

TONES = {
    NotificationKind.SECOND_APPROVAL: "info",
    NotificationKind.SCARCE_APPROVAL: "bad",
    NotificationKind.SENT_BACK: "wait",
    NotificationKind.TO_CONFIRM: "info",
    NotificationKind.PROPOSAL_CLOSED: "quiet",
}
ALL = "all"


@dataclass(frozen=True)
class Line:
    """A notification as the page shows it."""

    notification: Notification

    @property
    def tone(self) -> str:
        return TONES[NotificationKind(self.notification.kind)]

    @property
    def address(self) -> str:
        return path_here(self.notification.path)

    @property
    def is_new(self) -> bool:
        return not self.state

    @property
    def state(self) -> str:
        """Return why it is not new: it was read, or what it is about is closed."""
        if self.notification.read_at is not None:
            return "Read"
        task = self.notification.task
        return "Over" if task is not None and task.status != TaskStatus.OPEN else ""


def notification_urls(site: AdminSite) -> list[URLPattern]:
    """Return the path of the page, for the site that has the bell on its pages."""

    def page(request: HttpRequest) -> HttpResponse:
        return answer_once(request, lambda: notifications_page(request, site))

    return [path("notifications/", site.admin_view(page), name="notifications")]


def notifications_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the person's own notifications; a POST marks one of them, or all, as read."""
    user = staff(request)
    if request.method == "POST":
        return _mark(request)
    lines = [Line(each) for each in notifications_of(user=user)]
    request.current_app = site.name
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": "Notifications",
        "lines": lines,
        "some_new": any(line.is_new for line in lines),
        "listed": LISTED,
        "all": ALL,
    }
    return TemplateResponse(request, "reviews/admin/notifications.html", context)


def _mark(request: HttpRequest) -> HttpResponse:
    chosen = request.POST.get("read", "")
    changed = 0
    if chosen == ALL or (chosen.isascii() and chosen.isdecimal() and len(chosen) < 19):
        number = None if chosen == ALL else int(chosen)
        changed = notifications_read(user=staff(request), number=number)
    if changed:
        messages.success(request, f"Marked as read: {changed}.")
    else:
        messages.warning(request, "There was nothing to mark as read.")
    return HttpResponseRedirect(reverse("admin:notifications"))
