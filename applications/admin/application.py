"""Applications in the admin: the draft's form and the page of a submitted application.

The list is in ``changelist``, the page is drawn by ``application_page``; the views beside it
are in ``documents``, ``contact_reveal``, ``polling`` and ``withdrawal``. ``reviews``,
``workflows`` and ``webhooks`` each add their part by a subclass that they register instead.
"""

from collections.abc import Collection, Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.utils import flatten, flatten_fieldsets, unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join

from applications.admin import contact_reveal, documents, polling
from applications.admin.application_page import RELATED, ApplicationPageAdmin
from applications.admin.changelist import ApplicationListAdmin
from applications.admin.forms import ApplicationForm
from applications.admin.notes import AddNote
from applications.admin.view_helpers import application_link, back_to_application
from applications.admin.withdrawal import Withdraw
from applications.choices import Status
from applications.demo_profiles import DEMO_PROFILES, find_profile
from applications.errors import InvalidApplication
from applications.models import LoanApplication
from applications.selectors import similar_applications
from applications.services import access_log, intake
from core.admin.base import staff
from core.admin.display import person_name
from core.admin.row_actions import row_url
from core.errors import DomainError, NotPermitted
from lending.services import policy_current

TYPED_FIELDSETS = (
    (
        "Applicant",
        {
            "fields": (
                "applicant_name",
                "address",
                ("phone", "email"),
                ("sin_last4", "annual_income"),
            )
        },
    ),
    ("Loan", {"fields": (("loan_amount", "currency"), ("purpose", "term_months"))}),
)
KEPT_FIELDSET: tuple[str, Any] = (
    "Record",
    {
        "fields": (
            ("reference", "version"),
            ("partner", "external_id"),
            ("created_by_name", "submitted_by_name", "last_edited_by_name"),
            ("created_at", "submitted_at", "closed_at"),
        )
    },
)


class LoanApplicationAdmin(contact_reveal.HiddenFields, ApplicationListAdmin, ApplicationPageAdmin):
    form = ApplicationForm

    class Media:
        js = (Script("applications/preview.js", defer=True),)

    # --- The form -----------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: LoanApplication | None = None) -> Any:
        if obj is None:
            return TYPED_FIELDSETS
        shown = contact_reveal.is_shown(request, obj)
        if obj.submitted_at is not None:  # the page above the form shows the rest
            can_change = shown and self.has_change_permission(request, obj)
            names = intake.editable_fields(status=obj.status) if can_change else ()
            return (*typed_only(names), KEPT_FIELDSET)
        typed = TYPED_FIELDSETS if shown else contact_reveal.hidden_fieldsets(TYPED_FIELDSETS)
        return (*typed, KEPT_FIELDSET)

    def get_readonly_fields(
        self, request: HttpRequest, obj: LoanApplication | None = None
    ) -> tuple[str, ...]:
        if obj is None:
            return ()
        may = self.has_change_permission(request, obj)
        typed = intake.editable_fields(status=obj.status) if may else ()
        kept = flatten_fieldsets([KEPT_FIELDSET])
        shown = flatten_fieldsets(self.get_fieldsets(request, obj))
        return tuple(name for name in shown if name in kept or name not in typed)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return the policy's defaults, and the values of a demo profile where one is chosen."""
        policy = policy_current()
        initial: dict[str, Any] = {
            "currency": policy.currency,
            "term_months": policy.default_term_months,
        }
        profile = find_profile(request.GET.get("profile", ""))
        if settings.LOANOFFICE_DEMO and profile is not None:
            initial |= {
                name: getattr(profile, name)
                for name in (
                    "applicant_name",
                    "address",
                    "phone",
                    "email",
                    "sin_last4",
                    "annual_income",
                    "loan_amount",
                )
            }
        return initial

    # Names without links: few of the people who see applications may see user accounts.
    @admin.display(description="Created by")
    def created_by_name(self, application: LoanApplication) -> str:
        return named_with_roles(application.created_by)

    @admin.display(description="Submitted by")
    def submitted_by_name(self, application: LoanApplication) -> str:
        return named_with_roles(application.submitted_by)

    @admin.display(description="Last edited by")
    def last_edited_by_name(self, application: LoanApplication) -> str:
        return named_with_roles(application.last_edited_by)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form or store it with one service call; field errors are shown in the form.

        Replaces Django's view, which saves the model without the service's rules.
        """
        application = None
        if object_id is None:
            if not self.has_add_permission(request):
                raise PermissionDenied
        else:
            application = self.get_object(request, unquote(object_id))
            if application is None:
                return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                    request, self.opts, object_id
                )
            if not self.has_view_or_change_permission(request, application):
                raise PermissionDenied
        readonly = self.get_readonly_fields(request, application)
        form_class = self._form_class(request, application, readonly)
        if request.method == "POST":
            if application is not None:
                if not self.has_change_permission(request, application):
                    raise PermissionDenied
                if contact_reveal.is_typed_too_late(request, application):
                    return back_to_application(self, request, application, contact_reveal.TOO_LATE)
            form: Any = form_class(request.POST, instance=application)
            if form.is_valid():
                response = self._store(request, application, form)
                if response is not None:
                    return response
        else:
            given = self.get_changeform_initial_data(request) if application is None else None
            form = form_class(instance=application, initial=given)
        context = {"form_url": form_url, **(extra_context or {})}
        return self._draw(request, application, form, readonly, context)

    def draw_with(
        self, request: HttpRequest, application: LoanApplication, **shown: Any
    ) -> HttpResponse:
        """Draw the page of an application at another address, with more context."""
        readonly = self.get_readonly_fields(request, application)
        form = self._form_class(request, application, readonly)(instance=application)
        context = {"form_url": row_url(application), **shown}
        return self._draw(request, application, form, readonly, context)

    def _form_class(
        self, request: HttpRequest, application: LoanApplication | None, readonly: tuple[str, ...]
    ) -> Any:
        fields = flatten_fieldsets(self.get_fieldsets(request, application))
        return self.get_form(
            request,
            application,
            change=application is not None,
            fields=[name for name in fields if name not in readonly],
        )

    def _store(
        self, request: HttpRequest, application: LoanApplication | None, form: ApplicationForm
    ) -> HttpResponse | None:
        """Pass the form's values to the services; return ``None`` when a field was refused."""
        user = staff(request)
        typed = form.typed()
        submit = "_submit" in request.POST
        try:
            with transaction.atomic():
                if application is None:
                    stored = intake.application_create(user=user, **typed)
                else:
                    stored = intake.application_edit(
                        reference=application.reference,
                        user=user,
                        version=form.cleaned_data["read_version"],
                        **typed,
                    )
                if submit:
                    stored = intake.application_submit(reference=stored.reference, user=user)
        except InvalidApplication as refused:
            form.refuse(refused.errors)
            if application is not None:  # the form wrote on it; show what is stored
                application.refresh_from_db()
            return None
        except NotPermitted as refused:
            raise PermissionDenied(str(refused)) from refused
        except DomainError as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        state = "is submitted" if submit else "is saved"
        if not submit and stored.status == Status.DRAFT:
            state = "is saved as a draft"
        self.message_user(request, f"{stored.reference} {state}.", messages.SUCCESS)
        if submit or stored.status == Status.DRAFT:
            self._warn_of_similar(request, stored)
        return HttpResponseRedirect(row_url(stored))

    def _warn_of_similar(self, request: HttpRequest, stored: LoanApplication) -> None:
        """Say which applications may be the same one; what was asked for is done all the same."""
        if similar := similar_applications([stored]).get(stored.pk):
            links = format_html_join(", ", "{}", ((application_link(row),) for row in similar[:10]))
            self.message_user(
                request,
                format_html("Asked before? The same name and last digits of the SIN: {}.", links),
                messages.INFO,  # a warning would say that the form did nothing: ``sent_once``
            )

    def _draw(
        self,
        request: HttpRequest,
        application: LoanApplication | None,
        form: Any,
        readonly: tuple[str, ...],
        extra_context: dict[str, Any],
    ) -> HttpResponse:
        user = staff(request)
        if application is not None and request.method == "GET":
            access_log.application_viewed(
                application=application,
                user=user,
                contact_shown=contact_reveal.is_shown(request, application),
            )
        admin_form = helpers.AdminForm(
            form,
            list(self.get_fieldsets(request, application)),
            {},
            readonly,
            model_admin=self,
        )
        # Before the page is read: a change meanwhile is sent by the first poll.
        live_etag = self.live_etag(application, request) if application is not None else ""
        is_draft = application is None or application.status == Status.DRAFT
        page = self.page_of(request, application) if application is not None else None
        context = {
            **self.admin_site.each_context(request),
            "title": "New application" if application is None else application.reference,
            "subtitle": None,
            "adminform": admin_form,
            "object_id": application.pk if application is not None else None,
            "original": application,
            "is_popup": False,
            "to_field": None,
            "media": self.media + admin_form.media,
            "inline_admin_formsets": [],
            "errors": helpers.AdminErrorList(form, []),
            "preserved_filters": self.get_preserved_filters(request),
            "live_etag": live_etag,
            "is_draft": is_draft,
            "can_type": bool(form.fields.keys() - {"read_version"}),
            "can_submit": is_draft and user.has_perm("applications.submit_loanapplication"),
            "profiles": (DEMO_PROFILES if application is None and settings.LOANOFFICE_DEMO else ()),
            "profile_chosen": request.GET.get("profile", ""),
            **contact_reveal.contact_context(request, application),
            **(self.application_context(request, page) if page is not None else {}),
            **extra_context,
        }
        return self.render_change_form(
            request,
            context,
            add=application is None,
            change=application is not None,
            obj=application,
            form_url=extra_context["form_url"],
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> LoanApplication | None:
        if not object_id.isdecimal() or len(object_id) > 18:
            return None
        return self.get_queryset(request).select_related(*RELATED).filter(pk=object_id).first()

    def get_urls(self) -> list[URLPattern]:
        """Add the views and actions of the page; each checks its own permission."""
        wrap = self.admin_site.admin_view
        name = "applications_loanapplication_%s"
        return [
            path(
                "<int:pk>/live/",
                wrap(polling.live_view),
                {"model_admin": self},
                name=name % "live",
            ),
            path(
                "<int:pk>/reveal/",
                wrap(contact_reveal.reveal_view),
                {"model_admin": self},
                name=name % "reveal",
            ),
            path(
                "<int:pk>/documents/<int:document_pk>/",
                wrap(documents.download_view),
                {"model_admin": self},
                name=name % "document",
            ),
            path(
                "<int:pk>/documents/<int:document_pk>/preview/",
                wrap(documents.preview_view),
                {"model_admin": self},
                name=name % "preview",
            ),
            *(action.url_pattern(self) for action in (Withdraw, documents.Upload, AddNote)),
            *super().get_urls(),
        ]


def typed_only(names: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Yield the fieldsets of the form with these fields alone; none without a field."""
    for title, options in TYPED_FIELDSETS:
        fields: list[Any] = []
        for line in options["fields"]:
            kept = tuple(name for name in flatten([line]) if name in names)
            fields += [kept[0] if len(kept) == 1 else kept] if kept else []
        if fields:
            yield title, {**options, "fields": tuple(fields)}


def named_with_roles(person: User | None) -> str:
    """Return a person's name and roles, as in ``Kim Lee (Loan officer)``."""
    if person is None:
        return "-"
    roles = ", ".join(person.groups.values_list("name", flat=True))
    return f"{person_name(person)} ({roles})" if roles else person_name(person)
