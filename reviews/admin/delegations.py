"""Delegations in the admin: hand one's tasks to somebody else for a while, and revoke that."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.proposing import leave_to_proposal
from accounts.errors import ProposedAlready
from accounts.models import Proposal
from audit import times
from core.admin.base import NoDeleteAdmin, staff
from core.admin.display import badge, moment, person_name
from core.admin.forms import MomentField, show_refusal
from core.admin.row_actions import RowAction, RowActionsAdmin, row_url
from core.admin.sent_once import answer_once, keep_form, send_url
from core.admin.view_helpers import admin_page
from core.errors import NotPermitted
from reviews.errors import InvalidDelegation
from reviews.models import Delegation
from reviews.proposals import delegation_propose
from reviews.services import delegation as delegations

if TYPE_CHECKING:
    UserField = forms.ModelChoiceField[User]
else:
    UserField = forms.ModelChoiceField

USUAL = timedelta(days=7)
FOR_ONESELF = (
    "For a while somebody else may decide what waits for you, as if they were you: up to your "
    "ceiling, and never what you or they worked on themselves."
)
FOR_OTHERS = (
    "For a while one person may decide what waits for another, as if they were them: up to the "
    "ceiling of that person, and never what either of the two worked on."
)
TONES = {
    "Upcoming": "info",
    "Active": "good",
    "Without effect": "wait",
    "Over": "quiet",
    "Revoked": "quiet",
}


def state(delegation: Delegation, *, now: datetime) -> str:
    """Return the state; "Without effect" while one of the two may not decide for the other."""
    if delegation.revoked_at is not None and delegation.revoked_at < delegation.ends_at:
        return "Revoked"
    if now >= delegation.ends_at:
        return "Over"
    if not getattr(delegation, "is_in_force", True):
        return "Without effect"
    return "Upcoming" if now < delegation.starts_at else "Active"


class PersonField(UserField):
    """A choice of people who decide; the form narrows it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=User.objects.none(), empty_label="Choose somebody", **kwargs)

    def label_from_instance(self, obj: User) -> str:
        name = obj.get_full_name()
        return f"{obj.get_username()} ({name})" if name else obj.get_username()


class DelegationForm(forms.Form):
    """A new delegation. Superusers choose the ``delegator``; others give their own tasks."""

    delegator = PersonField(
        label="Whose tasks",
        help_text="The tasks of somebody else are handed over once another superuser confirms it.",
    )
    delegate = PersonField(
        label="To whom",
        help_text="Somebody with a role that decides the same kind of task. They decide in their "
        "own name up to the ceiling of whose tasks they are; the right that they use is kept with "
        "the decision.",
    )
    starts_at = MomentField(label="From")
    ends_at = MomentField(label="Until", help_text="The delegation ends at this moment.")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for_others = user.is_superuser
        delegates = delegations.people_to_delegate_to(delegator=None if for_others else user)
        choices = {"delegator": delegations.people_with_a_right(), "delegate": delegates}
        for name, people in choices.items():
            field = cast("PersonField", self.fields[name])
            field.queryset = people.order_by("username")
        if not for_others:
            del self.fields["delegator"]


class RevokeDelegation(RowAction[Delegation]):
    """End a delegation before its time."""

    name = "revoke"
    label = "Revoke"
    tone = "bad"

    def is_offered(self) -> bool:
        return not self.is_over() and super().is_offered()

    def is_over(self) -> bool:
        return state(self.row, now=timezone.now()) in {"Over", "Revoked"}

    def check(self) -> None:
        delegations.revoke_check(delegation=self.row, by=self.user)

    def explanation(self) -> str:
        return (
            f"From now on {self.row.delegate} decides nothing for {self.row.delegator}: other "
            "delegations between the two in the same time end as well. What was decided stays "
            "decided."
        )

    def ask(self, status: int = 200) -> HttpResponse:
        return self.leave_as_over() if self.is_over() else super().ask(status)

    def act(self) -> str | HttpResponse:
        if self.is_over():
            return self.leave_as_over()
        delegations.delegation_revoke(delegation=self.row, by=self.user)
        return f"{self.row}: revoked."

    def leave_as_over(self) -> HttpResponse:
        status = state(self.row, now=timezone.now()).lower()
        return self.finish(f"It is {status}.", messages.WARNING)


class DelegationAdmin(RowActionsAdmin[Delegation], NoDeleteAdmin[Delegation]):
    """Everybody sees the delegations they gave or received; with view permission, all of them."""

    list_display = ("whose", "to_whom", "starts", "ends", "state_shown", "by")
    sortable_by = ()
    empty_list_text = (
        "Before you are away, hand your tasks to a colleague who decides the same kind: they "
        "decide in their own name, up to your ceiling. It shows here, for both of you."
    )
    fields = ("whose", "to_whom", "starts", "ends", "state_shown", "by", "created_at", "revoked_at")
    row_actions = (RevokeDelegation,)

    @admin.display(description="Whose tasks")
    def whose(self, delegation: Delegation) -> str:
        return person_name(delegation.delegator)

    @admin.display(description="To whom")
    def to_whom(self, delegation: Delegation) -> str:
        return person_name(delegation.delegate)

    @admin.display(description="From")
    def starts(self, delegation: Delegation) -> SafeString:
        return moment(delegation.starts_at)

    @admin.display(description="Until")
    def ends(self, delegation: Delegation) -> SafeString:
        return moment(delegation.ends_at)

    @admin.display(description="State")
    def state_shown(self, delegation: Delegation) -> SafeString:
        status = state(delegation, now=timezone.now())
        return badge(status, TONES[status])

    @admin.display(description="Entered by")
    def by(self, delegation: Delegation) -> str:
        return person_name(delegation.created_by)

    # --- Who sees what ------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Delegation | None = None) -> bool:
        """All staff see the list; ``get_queryset`` limits its rows."""
        if not isinstance(request.user, User) or not request.user.is_staff:
            return False
        if obj is None or super().has_view_permission(request, obj):
            return True
        return request.user.pk in {obj.delegator_id, obj.delegate_id}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A delegation is never changed: it is revoked, and another one is created."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delegation]:
        user = staff(request)
        rows = super().get_queryset(request).select_related("delegator", "delegate", "created_by")
        rows = rows.annotate(is_in_force=delegations.in_force())
        if user.has_perm("reviews.view_delegation"):
            return rows
        return rows.filter(Q(delegator=user) | Q(delegate=user))

    # --- Giving and revoking ------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Delegations", **(extra_context or {})})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Replace Django's view, which saves the model without the service's rules."""
        answer = answer_once(request, lambda: self._hand_over(request))
        return keep_form(request, answer)

    def _hand_over(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        user = staff(request)
        if request.method == "POST":
            form = DelegationForm(request.POST, user=user)
            if form.is_valid() and (given := _give(form, user)) is not None:
                if isinstance(given, Proposal):
                    return leave_to_proposal(self, request, given)
                until = times.moment(given.ends_at)
                message = f"{given.delegate} may decide for {given.delegator} until {until}."
                self.message_user(request, message, messages.SUCCESS)
                return HttpResponseRedirect(row_url(given))
        else:
            now = timezone.now()
            initial = {"delegator": user, "starts_at": now, "ends_at": now + USUAL}
            form = DelegationForm(initial=initial, user=user)
        return admin_page(
            self,
            request,
            "core/admin/confirm.html",
            title="Hand over tasks",
            form=form,
            action=send_url(request),
            button="Hand over",
            tone="good",
            sentence=FOR_OTHERS if user.is_superuser else FOR_ONESELF,
        )


def _give(form: DelegationForm, user: User) -> Delegation | Proposal | None:
    """Create the delegation, or propose it when the tasks are those of somebody else.

    Returns ``None`` when it was refused, and shows why in the form.
    """
    given = {"delegator": user, **form.cleaned_data}
    try:
        if given["delegator"] != user:
            return delegation_propose(**given, user=user)
        return delegations.delegation_create(**given, by=user)
    except InvalidDelegation as refused:
        show_refusal(form, refused.errors)
        return None
    except ProposedAlready as refused:
        form.add_error(None, str(refused))
        return None
    except NotPermitted as refused:
        raise PermissionDenied(str(refused)) from refused
