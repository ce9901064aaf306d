"""The page behind the bell: what a person is notified of, and which e-mails they get."""

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
from reviews.choices import MailMode, NotificationKind, TaskStatus
from reviews.models import Notification
from reviews.services.mail_choices import DIGEST_HOUR, mail_mode, mail_mode_set
from reviews.services.notifications import LISTED, notifications_of, notifications_read

TONES = {
    NotificationKind.SECOND_APPROVAL: "info",
    NotificationKind.SCARCE_APPROVAL: "bad",
    NotificationKind.SENT_BACK: "wait",
    NotificationKind.ANSWERED: "info",
    NotificationKind.TO_CONFIRM: "info",
    NotificationKind.PROPOSAL_CLOSED: "quiet",
    NotificationKind.MENTION: "fresh",
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
    """Show the person's own notifications and choice of e-mails.

    A POST marks one notification, or all, as read, or changes the choice.
    """
    user = staff(request)
    if request.method == "POST":
        return _choose(request) if "mails" in request.POST else _mark(request)
    lines = [Line(each) for each in notifications_of(user=user)]
    request.current_app = site.name
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": "Notifications",
        "lines": lines,
        "some_new": any(line.is_new for line in lines),
        "listed": LISTED,
        "all": ALL,
        "modes": MailMode.choices,
        "mode": mail_mode(user=user),
        "hour": f"{DIGEST_HOUR:02}:00",
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


def _choose(request: HttpRequest) -> HttpResponse:
    chosen = request.POST["mails"]
    if chosen not in MailMode:
        messages.error(request, "Choose one of the lines.")
    elif mail_mode_set(user=staff(request), mode=MailMode(chosen)):
        messages.success(request, f"E-mails to you: {MailMode(chosen).label}.")
    else:
        messages.warning(request, "You get these e-mails already.")
    return HttpResponseRedirect(reverse("admin:notifications"))
