"""Issue a partner key in the admin: on its partner's page, or from the list of keys."""

import uuid
from abc import abstractmethod
from datetime import date
from typing import TYPE_CHECKING, override

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.admin.proposing import leave_to_proposal
from accounts.models import Proposal
from audit.times import day_begins
from core.admin.row_actions import SecretAction, row_url
from partners.choices import Scope
from partners.models import Partner, PartnerKey
from partners.proposals import MadeKey, key_issue
from partners.services import keys

if TYPE_CHECKING:
    PartnerField = forms.ModelChoiceField[Partner]
else:
    PartnerField = forms.ModelChoiceField

ADD = "partners.add_partnerkey"


class IssueForm(forms.Form):
    # One form issues one key: reloading the page sends the form again.
    form_id = forms.UUIDField(required=False, initial=uuid.uuid4, widget=forms.HiddenInput)
    label = forms.CharField(
        max_length=100, required=False, help_text="For people: where the key is used."
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope.label} ({scope.value})") for scope in Scope],
        initial=keys.SCOPES,
        widget=forms.CheckboxSelectMultiple,
    )
    expires_on = forms.DateField(
        required=False,
        help_text="The first day on which it is refused. Empty: it does not expire.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def clean_expires_on(self) -> date | None:
        day: date | None = self.cleaned_data["expires_on"]
        if day is not None and day <= timezone.localdate():
            raise forms.ValidationError("Enter a day in the future.")
        return day


class AddForm(IssueForm):
    partner = PartnerField(queryset=Partner.objects.order_by("name"), empty_label="Choose one")
    field_order = ("partner",)


class KeySecret[M: (Partner, PartnerKey)](SecretAction[M]):
    """An action that makes a key and shows it once, or proposes one that may write."""

    element_id = "issued-key"
    refused_in_form = True

    def name_of_secret(self) -> str:
        return "the key"

    @abstractmethod
    def partner(self) -> Partner:
        """Return the partner that gets the key."""

    @abstractmethod
    def propose(self) -> MadeKey | Proposal:
        """Make the key at once, or propose it."""

    def make(self) -> str | HttpResponse:
        made = self.propose()
        return (
            leave_to_proposal(self.model_admin, self.request, made)
            if isinstance(made, Proposal)
            else made.key
        )

    def then(self) -> tuple[str, str]:
        return row_url(self.partner()), f"Back to {self.partner()}"


class IssueKey(KeySecret[Partner]):
    """Make a key of the partner."""

    name = "issue-key"
    label = "Issue a key"
    button = "Issue key"
    permissions = (ADD,)
    form_class: type[IssueForm] = IssueForm
    sentence = (
        "A key that only reads is shown on the next page, once. One that may write is proposed: "
        "another partner manager confirms it, and sees the key once."
    )

    def partner(self) -> Partner:
        return self.row

    def propose(self) -> MadeKey | Proposal:
        day = self.typed["expires_on"]
        midnight = day_begins(day) if day else None
        return key_issue(
            partner=self.partner(),
            user=self.user,
            label=self.typed["label"],
            scopes=tuple(self.typed["scopes"]),
            expires_at=midnight,
            form_id=self.typed["form_id"],
        )


class AddKey(IssueKey):
    """Make a key of the partner that is chosen in the form."""

    form_class = AddForm

    @override
    def get_row(self, pk: int = 0) -> Partner:
        """Return a partner that is not stored; the form has the one that gets the key."""
        if not self.user.has_perms(self.permissions):
            raise PermissionDenied
        return Partner()

    def title(self) -> str:
        return self.label

    def back(self) -> str:
        return reverse("admin:partners_partnerkey_changelist")

    def partner(self) -> Partner:
        partner: Partner = self.typed["partner"]
        return partner
