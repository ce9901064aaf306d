"""E-mails: who gets one and what it says. Sent by the outbox; addresses are looked up late.

An outbox row holds the numbers of a task or an application, never an address or a name.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail

from applications.models import LoanApplication, ReviewTask
from applications.vocabulary import Role, Status, TaskStatus, WaitingOn

GROUPS = {
    WaitingOn.MANAGER: (Role.MANAGER, Role.SENIOR_MANAGER),
    WaitingOn.SENIOR_MANAGER: (Role.SENIOR_MANAGER,),
    WaitingOn.RISK_ANALYST: (Role.RISK_ANALYST,),
}
CLOSING = {
    Status.FUNDED: "Your loan is funded.",
    Status.DECLINED: "We could not approve your application.",
    Status.EXPIRED: "Your application expired before it was decided.",
}


def send(payload: dict[str, Any]) -> None:
    """Send one notice. One that is pointless by now, or has nobody to go to, is left out."""
    if "task" in payload:
        _send_task(payload["task"])
    else:
        _send_closing(payload["application"])


def _send_task(pk: int) -> None:
    task = ReviewTask.objects.select_related("application").get(pk=pk)
    if task.status != TaskStatus.OPEN:
        return
    application = task.application
    role = WaitingOn(task.assigned_role)
    if role == WaitingOn.APPLICANT:
        recipients = [application.email] if application.email else []
        subject = f"Your loan offer {application.reference} is ready"
        body = f"Please accept or decline it by {task.expires_at:%Y-%m-%d}."
    else:
        recipients = list(
            User.objects.filter(
                groups__name__in=[group.value for group in GROUPS[role]], is_active=True
            )
            .exclude(email="")
            .order_by("email")
            .values_list("email", flat=True)
            .distinct()
        )
        subject = f"{task.get_kind_display()}: {application.reference}"
        body = (
            f"{application.loan_amount:,.2f} {application.currency} waits for a "
            f"{role.label.lower()}. Due {task.due_at:%Y-%m-%d %H:%M} UTC.\n"
            f"{settings.SITE_URL}/admin/applications/loanapplication/{application.pk}/change/"
        )
    for recipient in recipients:  # one letter each: nobody sees who else was written to
        send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, [recipient])


def _send_closing(reference: str) -> None:
    application = LoanApplication.objects.get(reference=reference)
    sentence = CLOSING.get(Status(application.status))
    if sentence is None or not application.email:
        return
    reasons = "\n".join(reason["text"] for reason in application.decision_reasons)
    send_mail(
        f"Your application {application.reference}",
        f"{sentence}\n{reasons}".strip(),
        settings.DEFAULT_FROM_EMAIL,
        [application.email],
    )
