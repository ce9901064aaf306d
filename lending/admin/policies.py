"""The lending policy in the admin: drafted by policy owners, never changed once published."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.safestring import SafeString

from accounts.admin.proposing import leave_to_proposal, proposal_button
from core.admin.base import NoDeleteAdmin, staff
from core.admin.display import badge
from core.admin.number_fields import NUMBER_FIELDS
from core.admin.row_actions import Button, RowAction, RowActionsAdmin
from core.errors import DomainError, InvalidFields, NotPermitted
from core.locking import locked
from lending import proposals, services
from lending.admin import policy_form
from lending.errors import NoPolicy
from lending.models import LendingPolicy, PolicyAuthority, PolicyTier
from lending.policy_words import changes_in_words

if TYPE_CHECKING:
    InlineBase = admin.TabularInline[Any, LendingPolicy]
    RowFormBase = forms.ModelForm[Any]
    RowFormSetBase = forms.BaseInlineFormSet[Any, LendingPolicy, RowFormBase]
else:
    InlineBase = admin.TabularInline
    RowFormBase = forms.ModelForm
    RowFormSetBase = forms.BaseInlineFormSet


class RowForm(RowFormBase):
    """One row of a table. Each field has an ``aria-label``, because the headings are far away."""

    def name_fields(self) -> None:
        """Give each field the name of its row, which is the label of the row's first field."""
        name = next(iter(self.fields))
        labels = dict(self._meta.model._meta.get_field(name).flatchoices)
        row = labels.get(self.initial.get(name), f"New {name}")
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{row}: {field.label}"


class RowFormSet(RowFormSetBase):
    """The rows of a table, named once the box that deletes a row was added to its form."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.name_fields()


class PolicyRowsInline(InlineBase):
    """The rows of a table of a policy: typed while it is a draft, then only read."""

    form = RowForm
    formset = RowFormSet
    formfield_overrides = NUMBER_FIELDS
    extra = 0
    names: tuple[str, ...]
    shown: dict[str, Callable[[Any], object]]  # the columns as one reads them

    @classmethod
    def rows_in_force(cls) -> list[dict[str, Any]]:
        """Return the first rows of a new version: those in force, else one for each choice."""
        try:
            current = services.policy_current()
        except NoPolicy:
            name = cls.names[0]
            return [{name: key} for key, _ in cls.model._meta.get_field(name).flatchoices]
        return list(cls.model.objects.filter(policy=current).values(*cls.names))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields as inputs, or as formatted values."""
        if self.has_change_permission(request, obj):
            return self.names
        return tuple(self.shown.get(name, name) for name in self.names)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.has_change_permission(request, obj):
            return ()
        return tuple(self.shown.values())

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return len(self.rows_in_force()) if obj is None else 0

    def get_max_num(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return len(self.model._meta.get_field(self.names[0]).flatchoices)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_open(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_open(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it in drafts only: the rows of a published policy decided applications."""
        return is_open(obj) and super().has_delete_permission(request, obj)


class PolicyAuthorityInline(PolicyRowsInline):
    model = PolicyAuthority
    names = ("role", "ceiling")
    shown = policy_form.AUTHORITY_SHOWN
    verbose_name = "ceiling"
    verbose_name_plural = "Who approves up to how much"


class PolicyTierInline(PolicyRowsInline):
    model = PolicyTier
    names = ("tier", "minimum_score", "requires_clean_record", "annual_rate", "largest_amount")
    shown = policy_form.TIER_SHOWN


class ProposalForm(forms.Form):
    note = forms.CharField(
        label="Note (optional)",
        help_text="For whoever confirms it: why this version is right.",
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "reason"}),
    )


class PublishPolicy(RowAction[LendingPolicy]):
    """Propose to put a drafted version in force; another policy owner confirms."""

    name = "publish"
    label = "Propose publication"
    template_name = "lending/admin/publish_policy.html"
    form_class = ProposalForm
    sentence = (
        "Another policy owner confirms this version exactly as it is now. It is in force then: "
        "every application that is validated is judged by it. A published policy is never "
        "changed; another version replaces it."
    )

    def get_row(self, pk: int) -> LendingPolicy:
        return get_object_or_404(LendingPolicy, pk=pk)

    def is_offered(self) -> bool:
        may = self.user.has_perm(proposals.PUBLISH) and is_open(self.row)
        return may and proposals.publication_open(self.row) is None

    def check(self) -> None:
        """A POST is left to the service, which says which rule is broken."""
        if self.request.method != "POST" and not self.is_offered():
            raise NotPermitted(f"You cannot propose to publish {self.row} now.")

    def shown(self) -> dict[str, Any]:
        return {"changes": list(changes_in_words(services.policy_changes(self.row)))}

    def act(self) -> HttpResponse:
        proposal = proposals.publication_propose(
            policy=self.row, user=self.user, note=self.typed["note"]
        )
        return leave_to_proposal(self, proposal)

    def refuse(self, refused: DomainError) -> HttpResponse:
        if isinstance(refused, InvalidFields):
            said = " ".join(sentence for found in refused.errors.values() for sentence in found)
            return self.finish(said, messages.ERROR)
        return super().refuse(refused)


class LendingPolicyAdmin(RowActionsAdmin[LendingPolicy], NoDeleteAdmin[LendingPolicy]):
    form = policy_form.PolicyForm
    inlines = (PolicyAuthorityInline, PolicyTierInline)
    list_display = (
        "version",
        "state",
        "currency",
        "approval_threshold",
        "ceilings",
        "second_approval_threshold",
        "published_at",
        "published_by",
    )
    list_display_links = ("version",)
    list_select_related = ("published_by",)
    row_actions = (PublishPolicy,)

    def row_buttons(self, request: HttpRequest, row: LendingPolicy) -> list[Button]:
        opened = proposals.publication_open(row)
        return [*super().row_buttons(request, row), *proposal_button(opened, staff(request))]

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> LendingPolicy | None:
        """Lock the draft that a form changes, so that it is not published meanwhile."""
        found: LendingPolicy | None = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST" or not connection.in_atomic_block:
            return found
        return locked(LendingPolicy.objects.filter(pk=found.pk)).first()

    @admin.display(description="State")
    def state(self, policy: LendingPolicy) -> SafeString:
        return badge("Published", "good") if policy.published_at else badge("Draft", "quiet")

    @admin.display(description="Ceilings")
    def ceilings(self, policy: LendingPolicy) -> str:
        limits = services.policy_ceilings(policy).items()
        return ", ".join(
            f"{role}: {'no limit' if limit is None else f'{limit:,}'}" for role, limit in limits
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[LendingPolicy]:
        return super().get_queryset(request).prefetch_related("authorities")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_open(obj) and super().has_change_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: LendingPolicy | None = None) -> Any:
        return policy_form.policy_fieldsets(typed=self._can_type(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: LendingPolicy | None = None) -> Any:
        kept = ("created_at", "published_at", "published_by")
        return kept if self._can_type(request, obj) else (*kept, *policy_form.SHOWN.values())

    def _can_type(self, request: HttpRequest, obj: LendingPolicy | None) -> bool:
        return obj is None or self.has_change_permission(request, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Start a new version with the values of the one in force."""
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        newest = LendingPolicy.objects.order_by("-version").first()
        initial["version"] = newest.version + 1 if newest else 1
        try:
            current = services.policy_current()
        except NoPolicy:
            return initial
        kept = {"id", "version", "created_at", "published_at", "published_by", "notes"}
        return initial | {
            column.name: getattr(current, column.name)
            for column in LendingPolicy._meta.concrete_fields
            if column.name not in kept
        }

    def get_formset_kwargs(
        self, request: HttpRequest, obj: LendingPolicy, inline: Any, prefix: str
    ) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if obj._state.adding and request.method == "GET":
            kwargs["initial"] = inline.rows_in_force()
        return kwargs


def is_open(policy: LendingPolicy | None) -> bool:
    """Tell whether the policy is a draft, or not stored yet: a published one never changes."""
    return policy is None or policy.published_at is None
