"""The lending policy in the admin: drafted by policy owners, never changed once published."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import BigIntegerField, DurationField, QuerySet, Value
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.admin.proposing import leave_to_proposal, proposal_button
from core.admin.base import NoDeleteAdmin, staff
from core.admin.display import badge
from core.admin.number_fields import NUMBER_FIELDS
from core.admin.row_actions import Button, RowAction, RowActionsAdmin, row_url
from core.errors import DomainError, InvalidFields, NotPermitted
from core.locking import locked
from lending import proposals, services
from lending.admin import policy_form
from lending.admin.spans import SpanField
from lending.models import LendingPolicy, PolicyAuthority, PolicyTier
from lending.policy_problems import (
    by_field,
    ceiling_key,
    ceiling_problems,
    tier_key,
    tier_problems,
)
from lending.policy_words import changes_in_words, field_words

if TYPE_CHECKING:
    InlineBase = admin.TabularInline[Any, LendingPolicy]
    RowFormBase = forms.ModelForm[Any]
    RowFormSetBase = forms.BaseInlineFormSet[Any, LendingPolicy, RowFormBase]
else:
    InlineBase = admin.TabularInline
    RowFormBase = forms.ModelForm
    RowFormSetBase = forms.BaseInlineFormSet


# The parameter of the address of the form for a new draft that names a version to start from.
BASE = "from"


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
    """The rows of a table, named once the box that deletes a row was added to its form.

    They are compared with each other and with the policy once each row is valid by itself.
    """

    find: Callable[[LendingPolicy, Iterable[Any]], Iterable[tuple[str, str]]]
    key: Callable[[Any, str], str]  # of a row's field, among the problems

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.name_fields()

    def clean(self) -> None:
        super().clean()
        if any(form.errors for form in self.forms):
            return
        kept = [
            form
            for form in self.forms
            if form.has_changed() or form.instance.pk is not None
            if not form.cleaned_data.get("DELETE")
        ]
        problems = by_field(self.find(self.instance, [form.instance for form in kept]))
        for form in kept:
            for name in form.fields:
                for sentence in problems.pop(self.key(form.instance, name), ()):
                    form.add_error(name, sentence)
        if problems:
            raise ValidationError([said for found in problems.values() for said in found])


class TierFormSet(RowFormSet):
    find = staticmethod(tier_problems)

    @staticmethod
    def key(row: PolicyTier, name: str) -> str:
        return tier_key(row.tier, name)


class AuthorityFormSet(RowFormSet):
    find = staticmethod(ceiling_problems)

    @staticmethod
    def key(row: PolicyAuthority, name: str) -> str:
        return ceiling_key(row.role) if name == "ceiling" else ""


class PolicyRowsInline(InlineBase):
    """The rows of a table of a policy: typed while it is a draft, then only read."""

    form = RowForm
    formset: type[RowFormSet]
    formfield_overrides = NUMBER_FIELDS
    extra = 0
    names: tuple[str, ...]
    shown: dict[str, Callable[[Any], str]]  # the columns as one reads them

    @classmethod
    def first_rows(cls, base: LendingPolicy | None) -> list[dict[str, Any]]:
        """Return the first rows of a new version: those of ``base``, else one for each choice."""
        if base is None:
            name = cls.names[0]
            return [{name: key} for key, _ in cls.model._meta.get_field(name).flatchoices]
        return list(cls.model.objects.filter(policy=base).values(*cls.names))

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
        return len(self.first_rows(base_of(request))) if obj is None else 0

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
    formset = AuthorityFormSet
    names = ("role", "ceiling")
    shown = policy_form.AUTHORITY_SHOWN
    verbose_name = "ceiling"
    verbose_name_plural = "Who approves up to how much"


class PolicyTierInline(PolicyRowsInline):
    model = PolicyTier
    formset = TierFormSet
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
        return leave_to_proposal(self.model_admin, self.request, proposal)

    def refuse(self, refused: DomainError) -> HttpResponse:
        if isinstance(refused, InvalidFields):
            said = " ".join(
                f"{field_words(name)}: {' '.join(found)}" for name, found in refused.errors.items()
            )
            return self.finish(said, messages.ERROR)
        return super().refuse(refused)


class ByState(admin.SimpleListFilter):
    """Filter by whether a version was published."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("draft", "Draft, not in force"), ("published", "Published")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LendingPolicy]
    ) -> QuerySet[LendingPolicy]:
        if self.value() not in {"draft", "published"}:
            return queryset
        return queryset.filter(published_at__isnull=self.value() == "draft")


class LendingPolicyAdmin(RowActionsAdmin[LendingPolicy], NoDeleteAdmin[LendingPolicy]):
    form = policy_form.PolicyForm
    formfield_overrides = NUMBER_FIELDS | {DurationField: {"form_class": SpanField}}
    inlines = (PolicyAuthorityInline, PolicyTierInline)
    list_display = (
        "version",
        "state",
        policy_form.SHOWN["approval_threshold"],
        "ceilings",
        policy_form.SHOWN["second_approval_threshold"],
        "published_at",
        "published_by",
    )
    list_display_links = ("version",)
    list_filter = (ByState,)
    list_select_related = ("published_by",)
    row_actions = (PublishPolicy,)
    change_form_template = "lending/admin/policy_change_form.html"

    def row_buttons(self, request: HttpRequest, row: LendingPolicy) -> list[Button]:
        opened = proposals.publication_open(row)
        copy = []
        if self.has_add_permission(request):
            url = reverse("admin:lending_lendingpolicy_add", query={BASE: row.version})
            copy = [Button("copy", "New draft from this version", url, acts=False)]
        publishing = proposal_button(opened, staff(request))
        return [*super().row_buttons(request, row), *publishing, *copy]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        policy: LendingPolicy | None = kwargs.get("obj")
        context["standing"] = policy_form.standing(policy, services.policy_in_force())
        if policy is not None and is_open(policy):
            opened = proposal_button(proposals.publication_open(policy), staff(request))
            steps = [*PublishPolicy.button_for(policy, staff(request)), *opened]
            context |= {"is_drafted": True, "next_step": steps[0] if steps else None}
        return super().render_change_form(request, context, *args, **kwargs)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> LendingPolicy | None:
        """Lock the draft that a form changes, so that it is not published meanwhile."""
        found: LendingPolicy | None = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST" or not connection.in_atomic_block:
            return found
        return locked(LendingPolicy.objects.filter(pk=found.pk)).first()

    def response_post_save_add(
        self, request: HttpRequest, obj: LendingPolicy
    ) -> HttpResponseRedirect:
        """Stay with the draft, whose page names the next step."""
        return HttpResponseRedirect(row_url(obj))

    response_post_save_change = response_post_save_add

    @admin.display(description="State")
    def state(self, policy: LendingPolicy) -> SafeString:
        if policy.published_at is None:
            return badge("Draft, not in force", "quiet")
        is_in_force = getattr(policy, "in_force", None) == policy.pk
        return badge("In force", "good") if is_in_force else badge("Replaced", "quiet")

    @admin.display(description="Ceilings")
    def ceilings(self, policy: LendingPolicy) -> SafeString:
        return policy_form.ceilings_shown(policy)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LendingPolicy]:
        current = services.policy_in_force()
        found = super().get_queryset(request).prefetch_related("authorities")
        return found.annotate(
            in_force=Value(None if current is None else current.pk, output_field=BigIntegerField())
        )

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
        """Start a new version with the values of another one."""
        newest = LendingPolicy.objects.order_by("-version").first()
        initial: dict[str, Any] = {"version": newest.version + 1 if newest else 1}
        base = base_of(request)
        if base is None:
            return initial
        kept = {"id", "version", "created_at", "published_at", "published_by", "notes"}
        return initial | {
            column.name: getattr(base, column.name)
            for column in LendingPolicy._meta.concrete_fields
            if column.name not in kept
        }

    def get_formset_kwargs(
        self, request: HttpRequest, obj: LendingPolicy, inline: Any, prefix: str
    ) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if obj._state.adding and request.method == "GET":
            kwargs["initial"] = inline.first_rows(base_of(request))
        return kwargs


def base_of(request: HttpRequest) -> LendingPolicy | None:
    """Return the version that a new draft starts from: in the address, else the one in force."""
    named = request.GET.get(BASE)
    if named is None:
        return services.policy_in_force()
    version = int(named) if re.fullmatch("[0-9]{1,9}", named) else 0
    return get_object_or_404(LendingPolicy, version=version)


def is_open(policy: LendingPolicy | None) -> bool:
    """Tell whether the policy is a draft, or not stored yet: a published one never changes."""
    return policy is None or policy.published_at is None
