"""The admin site of Loan Office: its name, its front page and its navigation.

Django makes the site before any app's admin is loaded, so imports of the apps are late.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.forms import OwnPasswordForm, SignInForm

# The models that people work with, in this order; the rest follows by app.
FIRST = ("LoanApplication", "Incident", "Proposal")


class DeclaredAutocomplete(AutocompleteJsonView):
    """Answers for the fields that a registered form completes; Django answers for every one."""

    def process_request(self, request: HttpRequest) -> Any:
        asked = [request.GET.get(name) for name in ("app_label", "model_name", "field_name")]
        declared = [
            [model._meta.app_label, model._meta.model_name, field]
            for model, model_admin in admin.site._registry.items()
            for field in model_admin.get_autocomplete_fields(request)
        ]
        if asked not in declared:
            raise PermissionDenied
        return super().process_request(request)


class LoanOfficeAdminSite(AdminSite):
    site_header = "Loan Office"
    site_title = "Loan Office"
    index_title = "Today"
    site_url = None  # there is no other site to view
    login_form = SignInForm

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Render the dashboard of this person."""
        from loanoffice.dashboard import dashboard_of
        from loanoffice.front_page import index_context
        from loanoffice.header_badge import badge_for

        shown = dashboard_of(user=request.user, now=timezone.now())  # type: ignore[arg-type]
        context = {"open_tasks": badge_for(shown.waiting_on_me), **index_context(shown)}
        return super().index(request, {**context, **(extra_context or {})})

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Render the list of the pages of one app, which the trail of each of them leads to."""
        context = {"title": apps.get_app_config(app_label).verbose_name, **(extra_context or {})}
        return super().app_index(request, app_label, context)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the context of every page; badge and bell are counted when it renders them."""
        return {
            **super().each_context(request),
            "bell": SimpleLazyObject(lambda: _bell(request)),
            "open_tasks": SimpleLazyObject(lambda: _open_tasks(request)),
        }

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from applications.admin.search import search_urls
        from core.admin.own_list_page import list_urls
        from reviews.admin.notifications import notification_urls

        return [
            *search_urls(self),
            *list_urls(self),
            *notification_urls(self),
            path("open-tasks/", self.admin_view(self.open_tasks), name="open_tasks"),
            *super().get_urls(),
        ]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Let every page's poll bring badge and bell."""
        from loanoffice.header_badge import with_counts

        return super().admin_view(with_counts(view), cacheable)

    def open_tasks(self, request: HttpRequest) -> HttpResponse:
        """Answer the number of the badge, which refreshes itself."""
        from loanoffice.header_badge import badge_response

        return badge_response(request)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Change one's own password, once, with a form that knows the request.

        Its passwords are hashed before the transaction begins.
        """
        from django.contrib.auth.views import PasswordChangeView

        from core.admin.sent_once import answer_once, sent_before

        request.current_app = self.name
        form: Any = partial(OwnPasswordForm, request=request)
        if request.method == "POST":
            done = sent_before(request)
            if done is not None:
                return done
            filled_in = form(request.user, request.POST)
            filled_in.is_valid()
            form = filled_in.look_again

        view: Any = PasswordChangeView.as_view(
            form_class=form,
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return answer_once(request, lambda: view(request))

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return DeclaredAutocomplete.as_view(admin_site=self)(request)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the navigation: first what is worked on, then the rest by app."""
        found: list[Any] = super().get_app_list(request, app_label)
        if app_label is not None:
            return found
        models = {model["object_name"]: model for app in found for model in app["models"]}
        mine = _my_approvals(models) if _decides(request) else ()
        work = [*mine, *(models[name] for name in FIRST if name in models)]
        for app in found:
            app["models"] = [model for model in app["models"] if model not in work]
        desk = {
            "name": "Desk",
            "app_label": "desk",
            "app_url": reverse("admin:index", current_app=self.name),
            "has_module_perms": True,
            "models": work,
        }
        shown = [*([desk] if work else []), *(app for app in found if app["models"])]
        _mark_current(request, [model for app in shown for model in app["models"]])
        return shown


def _decides(request: HttpRequest) -> bool:
    """Tell whether the role decides anything. Who was lent a right has the badge in the header."""
    from reviews.kinds import REVIEW_KINDS

    return any(request.user.has_perm(row.permission) for row in REVIEW_KINDS.values())


def _mark_current(request: HttpRequest, models: Iterable[dict[str, Any]]) -> None:
    """Mark the entry of the page that is shown: of two with one path the one that says more."""

    def leads_here(model: dict[str, Any]) -> bool:
        path, _, query = (model["admin_url"] or "-").partition("?")
        return request.path.startswith(path) and set(parse_qsl(query)) <= set(request.GET.items())

    found = filter(leads_here, models)
    current = max(found, key=lambda model: len(model["admin_url"]), default=None)
    if current is not None:
        current["is_current"] = True


def _my_approvals(models: dict[str, Any]) -> Iterable[Any]:
    """The list of tasks filtered for this person; the whole list keeps its address."""
    tasks = models.get("ReviewTask")
    if tasks is not None and tasks["admin_url"]:
        yield {
            **tasks,
            "name": "My approvals",
            "object_name": "MyApprovals",
            "admin_url": f"{tasks['admin_url']}?mine=yes",
            "add_url": None,
        }


def _open_tasks(request: HttpRequest) -> Any:
    from loanoffice.header_badge import badge_of

    return badge_of(request)


def _bell(request: HttpRequest) -> Any:
    from loanoffice.header_bell import bell_of

    return bell_of(request)
