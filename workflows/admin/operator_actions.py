"""The actions of Operations on an application, from its own page and from an incident's.

Whether this person may is asked again by the service, under a lock.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from django.contrib.auth.models import User
from django.forms import Form
from django.http import HttpResponse

from accounts.admin.proposing import leave_to_proposal, proposal_button
from applications.admin.view_helpers import ApplicationAction
from applications.choices import Status
from applications.models import LoanApplication
from core.admin.row_actions import Button, row_url
from core.errors import DomainError
from lending.services import policy_current
from workflows import attempts, new_orders, operations, proposals
from workflows.admin.forms import (
    MayReasonForm,
    NewOrderForm,
    NotPaidForm,
    PaidForm,
    ReasonForm,
    RestartForm,
)
from workflows.admin.links import came_from
from workflows.errors import PayoutFound, RailUnreachable
from workflows.models import Incident


class OperatorAction(ApplicationAction):
    """Call ``service`` with what was typed, and answer with the sentence ``done``.

    ``service_check`` raises why the action is not possible; some actions share one.
    """

    template_name = "workflows/admin/operator_action.html"
    names_applicant = True
    service_check: Callable[..., object]
    service: Callable[..., object]
    done: str

    def act(self) -> str | HttpResponse:
        self.service(reference=self.row.reference, user=self.user, **self.typed)
        return self.done.format(reference=self.row.reference)

    def check(self) -> None:
        self.service_check(application=self.row, user=self.user)

    def back(self) -> str:
        """The application's page, or that of the incident that led here."""
        incidents = Incident.objects.filter(application=self.row)
        return came_from(self.request, incidents) or super().back()

    def refuse(self, refused: DomainError) -> HttpResponse:
        if isinstance(refused, PayoutFound):
            advice = "Nothing was changed. Say that it was paid instead."
        elif isinstance(refused, RailUnreachable):
            advice = "Try again later."
        else:
            return super().refuse(refused)
        self.form.add_error(None, f"{refused} {advice}")
        return self.ask()


class Settlement(OperatorAction):
    """Propose what became of a payout, which another person confirms."""

    service_check = staticmethod(operations.payout_check)
    paid: bool

    def is_offered(self) -> bool:
        return super().is_offered() and proposals.settlement_open(self.row) is None

    @contextmanager
    def around(self) -> Iterator[None]:
        self.rail = proposals.settlement_prepare(
            reference=self.row.reference, user=self.user, paid=self.paid
        )
        yield

    def act(self) -> HttpResponse:
        proposal = proposals.settlement_propose(
            reference=self.row.reference,
            user=self.user,
            paid=self.paid,
            rail=self.rail,
            **self.typed,
        )
        return leave_to_proposal(self.model_admin, self.request, proposal)


class ConfirmPaid(Settlement):
    name = "paid"
    label = "It was paid"
    button = "Propose: it was paid"
    sentence = (
        "The rail's answer to this payout was lost. Say that the money left, as the rail's "
        "statement shows. Operations or a senior manager confirms it: the loan is funded then. "
        "This cannot be undone."
    )
    form_class = PaidForm
    paid = True


class ConfirmNotPaid(Settlement):
    name = "not-paid"
    label = "It was not paid"
    button = "Propose: it was not paid"
    tone = "bad"
    sentence = (
        "The rail's answer to this payout was lost. Say that no money left, as the rail's "
        "statement shows. Operations or a senior manager confirms it, and the rail is asked once "
        "more. The application can be restarted then, which pays it, or withdrawn."
    )
    form_class = NotPaidForm
    paid = False


class OrderAnew(OperatorAction):
    """Propose a new order of a payout that the rail refused, which another person confirms."""

    name = "order-anew"
    label = "New order"
    button = "Propose a new order"
    sentence = (
        "The rail refused this payout, and repeats that for the same order. A new order has "
        "another key. Operations or a senior manager confirms it, and the rail is asked about "
        "every earlier order both times. The application is restarted then."
    )
    form_class = NewOrderForm
    service_check = staticmethod(new_orders.new_order_check)

    def is_offered(self) -> bool:
        return super().is_offered() and new_orders.new_order_open(self.row) is None

    @contextmanager
    def around(self) -> Iterator[None]:
        new_orders.new_order_prepare(application=self.row)
        yield

    def act(self) -> HttpResponse:
        proposal = new_orders.new_order_propose(
            reference=self.row.reference, user=self.user, note=self.typed["note"], asked=True
        )
        return leave_to_proposal(self.model_admin, self.request, proposal)


class Restart(OperatorAction):
    name = "restart"
    label = "Restart"
    sentence = (
        "A new attempt carries the application from the first step. A payout that was requested "
        "is never requested twice."
    )
    form_class = RestartForm
    service_check = staticmethod(operations.restart_check)

    def get_form(self) -> Form:
        form = super().get_form()
        kept, current = self.row.policy, attempts.current_policy_for(self.row)
        if isinstance(form, RestartForm) and kept is not None and current is not None:
            form.offer_policies(kept=kept.version, current=current.version)
        return form

    def explanation(self) -> str:
        """Also say which policy version would be used."""
        kept, current = self.row.policy, policy_current()
        if kept is None:
            said = f"No policy version has judged it: it gets version {current.version}."
        elif kept == current:
            said = f"It keeps policy version {kept.version}, which is in force."
        elif current.currency != self.row.currency:
            said = (
                f"It keeps policy version {kept.version}: version {current.version}, which is in "
                f"force, lends in {current.currency}."
            )
        else:
            said = f"It keeps policy version {kept.version} unless you choose the one in force."
        return f"{self.sentence} {said}"

    @contextmanager
    def around(self) -> Iterator[None]:
        self.rail = operations.restart_prepare(reference=self.row.reference, user=self.user)
        yield

    def act(self) -> str:
        restarted = operations.application_restart(
            reference=self.row.reference,
            user=self.user,
            reason=self.typed["reason"],
            rail=self.rail,
            policy_version=int(self.typed["policy"]) if self.typed.get("policy") else None,
        )
        if restarted.status == Status.FUNDED:
            return f"{self.row.reference} had been paid, as the rail says: the loan is funded."
        return f"{self.row.reference} is restarted as attempt {restarted.attempt}."


class Resume(OperatorAction):
    name = "resume"
    label = "Resume"
    sentence = "The workflow continues where it was paused. Answers given meanwhile are delivered."
    form_class = MayReasonForm
    service_check = staticmethod(partial(operations.pause_check, paused=True))
    service = staticmethod(operations.execution_resume)
    done = "The workflow of {reference} goes on."


class Pause(OperatorAction):
    name = "pause"
    label = "Pause"
    tone = "quiet"
    sentence = (
        "The workflow finishes its current step and waits until it is resumed. Review tasks stay "
        "open, and decisions are kept."
    )
    form_class = ReasonForm
    service_check = staticmethod(partial(operations.pause_check, paused=False))
    service = staticmethod(operations.execution_pause)
    done = "The workflow of {reference} is paused."


class Stop(OperatorAction):
    name = "stop"
    label = "Stop"
    tone = "bad"
    sentence = (
        "This ends the workflow and cancels its open review tasks. The application needs "
        "attention then: it can be restarted from the first step, or withdrawn."
    )
    form_class = ReasonForm
    service_check = staticmethod(operations.stop_check)
    service = staticmethod(operations.application_stop)
    done = "The workflow of {reference} is stopped."


# Those that repair an application that is stuck, and those that control a running workflow.
REPAIRS: tuple[type[OperatorAction], ...] = (ConfirmPaid, ConfirmNotPaid, OrderAnew, Restart)
CONTROLS: tuple[type[OperatorAction], ...] = (Resume, Pause, Stop)
ACTIONS = (*REPAIRS, *CONTROLS)


def settlement_button(application: LoanApplication, user: User) -> list[Button]:
    """The button that leads to the open proposal about the payout of a stuck application."""
    if application.status != Status.NEEDS_ATTENTION:
        return []
    opened = proposals.settlement_open(application) or new_orders.new_order_open(application)
    return proposal_button(opened, user)


def buttons(
    actions: Iterable[type[OperatorAction]],
    application: LoanApplication,
    user: User,
    *,
    incident: Incident | None = None,
) -> list[Button]:
    """The buttons of the actions that ``user`` may take now; each check runs once.

    From the page of an ``incident`` they lead back to it.
    """
    query = {"incident": incident.pk} if incident is not None else None
    allowed: dict[Callable[..., object], bool] = {}
    for action in actions:
        check = action.service_check
        if check not in allowed:
            allowed[check] = bool(action.button_for(application, user))
    return [
        Button(action.name, action.label, row_url(application, action.name, query), action.tone)
        for action in actions
        if allowed[action.service_check]
    ]
