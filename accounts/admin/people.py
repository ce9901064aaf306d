"""Users and groups in the admin, for superusers only; e-mails report what is done here.

With checkboxes: Django's lists that move things from left to right cannot be used with a
screen reader.
"""

from copy import copy
from typing import TYPE_CHECKING, Any, Self, override

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import selectors
from accounts.forms import USERNAME_HELP, HashedBefore, NewUserForm, name_password_fields
from accounts.models import RequiredSecondFactor
from accounts.proposals import single_admin_notice
from accounts.services import access, access_grants, invitations, role_grants
from audit import times
from audit.admin.base import AuditedAdmin, ReadOnlyPermissions
from audit.models import Action, AuditEntry
from core.admin.display import person_name
from core.admin.row_actions import RowAction, RowActionsAdmin, row_url
from core.admin.sent_once import SentOnceAdmin, answer_once, sent_before

if TYPE_CHECKING:
    DjangoUserAdmin = UserAdmin[User]
    SentOnceUser = SentOnceAdmin[User]
    SentOnceGroup = SentOnceAdmin[Group]
    AuditedUser = AuditedAdmin[User]
    AuditedGroup = AuditedAdmin[Group]
    PermissionFieldBase = forms.ModelMultipleChoiceField[Permission]
    GroupFieldBase = forms.ModelMultipleChoiceField[Group]
else:
    DjangoUserAdmin = UserAdmin
    SentOnceUser = SentOnceGroup = SentOnceAdmin
    AuditedUser = AuditedGroup = AuditedAdmin
    PermissionFieldBase = GroupFieldBase = forms.ModelMultipleChoiceField


class SuperusersOnly:
    """A page for superusers only: what it changes decides who gets access."""

    def _may(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_active and user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)


class SuperusersLook(ReadOnlyPermissions, SuperusersOnly):
    """The same, read-only: rows are written by services alone."""


class AccessForm(forms.Form):
    """The roles of a person. ``read`` is what the page showed, so that nothing newer is undone."""

    roles = GroupFieldBase(
        queryset=Group.objects.order_by("name"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Whoever has a role may sign in here; what they see and do follows from it.",
    )
    is_superuser = forms.BooleanField(
        label="Superuser",
        required=False,
        help_text="Administers people and their roles, and decides nothing without a role.",
    )
    is_active = forms.BooleanField(
        label="Active",
        required=False,
        help_text="Untick this when somebody leaves: what they did keeps their name.",
    )
    read = forms.CharField(widget=forms.HiddenInput)


class ChangeAccess(RowAction[User]):
    """Give and take roles, and the flag of a superuser."""

    name = "access"
    label = "Change roles"
    button = "Save"
    form_class = AccessForm
    refused_in_form = True

    def initial(self) -> dict[str, Any]:
        now = access.access_of(self.row)
        return {
            "roles": self.row.groups.all(),
            "is_superuser": now.is_superuser,
            "is_active": now.is_active,
            "read": access.fingerprint(now),
        }

    def is_offered(self) -> bool:
        return access.may_administer(self.user)

    def check(self) -> None:
        access.access_check(by=self.user)

    def explanation(self) -> str:
        return single_admin_notice() or (
            "A role that decides, and the flag of a superuser, hold after another superuser "
            "confirmed them. What is taken away ends at once."
        )

    def act(self) -> str | HttpResponse:
        typed = self.typed
        change = access_grants.access_change(
            user=self.row,
            by=self.user,
            wanted=access.Access(
                groups=frozenset(group.name for group in typed["roles"]),
                is_superuser=typed["is_superuser"],
                is_active=typed["is_active"],
            ),
            read=typed["read"],
        )
        person = User.objects.get(pk=self.row.pk)
        if not Invite.is_next(person, by=self.user):
            return change.sentence
        self.model_admin.message_user(self.request, change.sentence, messages.SUCCESS)
        return HttpResponseRedirect(row_url(person, Invite.name))


class OthersPasswordForm(AdminPasswordChangeForm[User], HashedBefore):
    """Set or disable a person's password; Django's form reports no change when it is disabled."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_password_fields(self, "password1", "password2")
        if "usable_password" in self.fields:
            signs_in: Any = self.fields["usable_password"]
            signs_in.label = "They sign in with a password"
            signs_in.help_text = "Without one they come in by an invitation only."
            signs_in.choices = [("true", "Yes, this one"), ("false", "No")]

    def read_again(self, user: User, data: object) -> Self:
        """Return this form for the person as the transaction that saves it has read them."""
        self.user = user
        return self

    @property
    def changed_data(self) -> list[str]:
        return ["password"]


class Invite(RowAction[User]):
    """Send somebody the link under which they set password and second factor."""

    name = "invite"
    label = "Invite"
    button = "Send the invitation"

    @classmethod
    def is_next(cls, person: User, *, by: User) -> bool:
        """Tell whether the person may come in, has nothing to sign in with, and was not invited."""
        waits = not person.has_usable_password() and selectors.invitation_open(person) is None
        return waits and bool(cls.button_for(person, by))

    def check(self) -> None:
        invitations.invitation_check(user=self.row, by=self.user)

    def explanation(self) -> str:
        open_one = selectors.invitation_open(self.row)
        before = (
            ""
            if open_one is None
            else f" The link that {open_one.invited_by} sent before stops working."
        )
        return (
            f"{self.row.email} gets a link under which to set a password and a second factor. It "
            f"works once, for {settings.LOANOFFICE_INVITATION_LIFE.days} days.{before} Be sure "
            "that this is the person's own address."
        )

    def act(self) -> str:
        invitations.invitation_send(user=self.row, by=self.user)
        return f"{person_name(self.row)} is invited: the letter to {self.row.email} is on its way."


class AuditedUserAdmin(
    SuperusersOnly,
    RowActionsAdmin[User],
    SentOnceUser,
    AuditedUser,
    DjangoUserAdmin,
):
    list_display = ("username", "name", "roles", "active", "administers", "last_login")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "own_password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Access",
            {
                "fields": ("roles", "superuser", "signs_in", "active"),
                "description": "Change it with the button Change roles.",
            },
        ),
        ("Dates", {"fields": ("invited", "last_login", "date_joined")}),
    )
    # Access is changed by ``ChangeAccess``, whose service has the rules.
    readonly_fields = (
        "own_password",
        "roles",
        "superuser",
        "signs_in",
        "active",
        "invited",
        "last_login",
        "date_joined",
    )
    row_actions = (ChangeAccess, Invite)
    change_password_form = OthersPasswordForm
    # Nobody chooses another person's first password: they are invited to.
    add_form = NewUserForm
    add_form_template = "accounts/admin/user_add.html"
    add_fieldsets = (
        (
            None,
            {"classes": ("wide",), "fields": ("username", "first_name", "last_name", "email")},
        ),
    )

    def response_add(
        self, request: HttpRequest, obj: User, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go on with the roles of a new person: nobody is invited without one."""
        if {"_addanother", "_continue", IS_POPUP_VAR} & request.POST.keys():
            return super().response_add(request, obj, post_url_continue)
        said = f"{person_name(obj)} is added. Next: choose a role, then invite them."
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(row_url(obj, ChangeAccess.name))

    @admin.display(description="Superuser: administers, decides nothing", boolean=True)
    def superuser(self, user: User) -> bool:
        return user.is_superuser

    @admin.display(description="Superuser", boolean=True, ordering="is_superuser")
    def administers(self, user: User) -> bool:
        return user.is_superuser

    @admin.display(description="May sign in here: has a role, or is a superuser", boolean=True)
    def signs_in(self, user: User) -> bool:
        return user.is_staff

    @admin.display(description="Active", boolean=True, ordering="is_active")
    def active(self, user: User) -> bool:
        return user.is_active

    @admin.display(description="Password")
    def own_password(self, user: User) -> SafeString | str:
        if user._state.adding:
            return ""
        is_set = user.has_usable_password()
        return format_html(
            '{} <a role="button" class="press press-quiet" href="{}">{}</a>',
            "Set." if is_set else "None yet: an invitation lets them choose one.",
            reverse("admin:auth_user_password_change", args=[user.pk]),
            "Change password" if is_set else "Set password",
        )

    @admin.display(description="Invitation")
    def invited(self, user: User) -> str:
        invitation = selectors.invitation_open(user)
        if invitation is None:
            return "-"
        until = times.moment(invitation.expires_at)
        return f"By {invitation.invited_by}, open until {until}"

    def name(self, user: Any) -> str:
        return str(user.get_full_name())

    def roles(self, user: Any) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "-"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        return super().get_form(*args, help_texts={"username": USERNAME_HELP}, **kwargs)

    @override
    def user_change_password(
        self,
        request: HttpRequest,
        id: str,
        form_url: str = "",
    ) -> HttpResponse:
        page = self
        if request.method == "POST":
            done = sent_before(request)
            if done is not None:
                return done
            user = self.get_object(request, unquote(id))
            if user is not None and self.has_change_permission(request, user):
                form = OthersPasswordForm(user, request.POST)
                form.is_valid()  # hashes the password before the transaction begins
                page = copy(self)
                page.change_password_form = form.read_again  # type: ignore[assignment]
        view = super(AuditedUserAdmin, page).user_change_password
        return answer_once(request, lambda: view(request, id, form_url))

    def _note(self, request: HttpRequest, obj: Any, action: Action) -> AuditEntry:
        entry = super()._note(request, obj, action)
        access.change_announce(entry=entry, account=obj)
        return entry


class PermissionField(PermissionFieldBase):
    """The grants of a role, with readable names."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Permission) -> str:
        return f"{obj.content_type.app_labeled_name.partition(' | ')[0]}: {obj.name}"


class AuditedGroupAdmin(SuperusersOnly, SentOnceGroup, AuditedGroup, GroupAdmin):
    """Groups: those of the table of roles, and those that only need a second factor.

    A grant of a role can be taken away and given back; no group has more than the table says.
    """

    filter_horizontal = ()
    actions = None  # the deletion of several would take roles too

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name",) if role_grants.is_role(obj) else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "permissions"] if role_grants.is_role(obj) else ["name"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request) and not role_grants.is_role(obj)

    @override
    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "permissions" in form.base_fields:
            form.base_fields["permissions"] = PermissionField(
                queryset=role_grants.permissions_of(obj), required=False
            )
        return form

    def _note(self, request: HttpRequest, obj: Any, action: Action) -> AuditEntry:
        entry = super()._note(request, obj, action)
        access.change_announce(entry=entry)
        return entry


class RequiredSecondFactorAdmin(
    SuperusersOnly, SentOnceAdmin[RequiredSecondFactor], AuditedAdmin[RequiredSecondFactor]
):
    """Members of a group listed here have to set up a second factor, at their next click."""

    list_display = ("group", "created_at")
    list_select_related = ("group",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return a choice of groups without the links beside it: groups have pages of their own."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, forms.ModelChoiceField):
            field.empty_label = "Choose a group"
            field.widget = field.widget.widget
        return field

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
