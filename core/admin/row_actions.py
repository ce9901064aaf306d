"""Actions on one row of the admin: a page that asks for confirmation, then one service call.

GET shows the page and changes nothing, POST acts, once for each page (``sent_once``). A
``RowAction`` is also asked whether the row's page offers a button for it, so that the page and
the action cannot disagree.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views import View

from audit.admin.declared_filters import DeclaredFiltersAdmin
from audit.admin.typed import TypedAdmin
from core.admin.base import staff
from core.admin.forms import show_refusal
from core.admin.sent_once import answer_once, keep_form, send_url, sent_before, stands_for
from core.admin.view_helpers import admin_page
from core.errors import DomainError, InvalidFields


@dataclass(frozen=True)
class Button:
    """A link to a page that asks for confirmation, or a form (``posts``) that acts at once.

    One that only leads to another page does not act (``acts``).
    """

    key: str
    label: str
    url: str
    tone: str = "quiet"
    posts: bool = False
    acts: bool = True

    @property
    def html_id(self) -> str:
        return f"{'press' if self.acts else 'to'}-{self.key}"


def row_url(row: Model, view: str = "change", query: dict[str, Any] | None = None) -> str:
    """The address of a row's page, or of a view beside it."""
    name = f"{row._meta.app_label}_{row._meta.model_name}_{view.replace('-', '_')}"
    return reverse(f"admin:{name}", args=[row.pk], query=query)


class RowAction[M: Model](ABC, View):
    """One action on one row.

    Subclasses raise in ``check`` the ``DomainError`` that says why it is not possible now, and do
    it in ``act``, which returns the sentence that says what was done. Without ``permissions``
    everybody who may see the row reaches ``check`` and ``act``, whose services decide.
    """

    http_method_names = ["get", "head", "post"]
    model_admin: Any = None
    name = ""  # of the URL
    route = ""  # where it is not the name
    label = ""  # of the button on the row's page
    button = ""  # of the button that acts, where it is not the label
    tone = "good"
    sentence = ""
    permissions: tuple[str, ...] = ()
    form_class: type[forms.Form] = forms.Form
    names_applicant = False  # the page does, and is not kept for the Back button
    refused_in_form = False  # a refusal is shown in the form, with the status of the error
    template_name = "core/admin/confirm.html"

    row: M
    user: User
    form: forms.Form
    typed: dict[str, Any]  # what the form has read

    # --- What subclasses say ------------------------------------------------------------

    def check(self) -> None:
        """Raise a ``DomainError`` where the action is not possible."""

    def is_offered(self) -> bool:
        """Tell whether the row's page has a button for it: where ``check`` passes."""
        try:
            self.check()
        except DomainError:
            return False
        return self.user.has_perms(self.permissions)

    def around(self) -> AbstractContextManager[None]:
        """Do what has to be outside of the transaction of ``act``, before it and after it."""
        return nullcontext()

    @abstractmethod
    def act(self) -> str | HttpResponse:
        """Do it, in one transaction; return the sentence that says what was done, or a response.

        A response that is neither a redirect nor marked by ``stands_for`` did nothing.
        """

    def title(self) -> str:
        return f"{self.label}: {self.row}"

    def explanation(self) -> str:
        """The sentence above the form."""
        return self.sentence

    def initial(self) -> dict[str, Any]:
        return {}

    def shown(self) -> dict[str, Any]:
        """Return more context of the template."""
        return {}

    def back(self) -> str:
        """The page that the action returns to."""
        return row_url(self.row)

    # --- What they share ----------------------------------------------------------------

    @classmethod
    def button_for(
        cls, row: M, user: User, query: dict[str, Any] | None = None, tone: str = ""
    ) -> list[Button]:
        """The button on the row's page; none where the action is not offered."""
        action = cls()
        action.row, action.user = row, user
        if not action.is_offered():
            return []
        url = row_url(row, cls.name, query)
        return [Button(key=cls.name, label=cls.label, url=url, tone=tone or cls.tone)]

    @classmethod
    def url_pattern(cls, model_admin: TypedAdmin[Any]) -> URLPattern:
        opts = model_admin.opts
        return path(
            cls.route or f"<int:pk>/{cls.name}/",
            model_admin.admin_site.admin_view(cls.as_view(model_admin=model_admin)),
            name=f"{opts.app_label}_{opts.model_name}_{cls.name.replace('-', '_')}",
        )

    def get_row(self, pk: int) -> M:
        """The row, for someone who may act on it. Raises 403 or 404."""
        if not self.user.has_perms(self.permissions):
            raise PermissionDenied
        row: M = get_object_or_404(self.model_admin.get_queryset(self.request), pk=pk)
        if self.permissions or self.model_admin.has_view_or_change_permission(self.request, row):
            return row
        raise PermissionDenied

    def get_form(self) -> forms.Form:
        if self.request.method == "POST":
            return self.form_class(self.request.POST, self.request.FILES, initial=self.initial())
        return self.form_class(initial=self.initial())

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.user = staff(request)
        if (again := sent_before(request)) is not None:
            return again
        self.row = self.get_row(**kwargs)
        self.form = self.get_form()
        try:
            self.check()
            if not self.form.is_valid():
                return self.ask()
            self.typed = self.form.cleaned_data
            with self.around():
                return answer_once(request, self._done, back=self.back())
        except DomainError as refused:
            # Another sending of the form may have done it just now.
            return sent_before(request) or self.refuse(refused)

    def _done(self) -> HttpResponse:
        done = self.act()
        return self.finish(done) if isinstance(done, str) else done

    post = get

    def ask(self, status: int = 200) -> HttpResponse:
        """The page with the form."""
        page = admin_page(
            self.model_admin,
            self.request,
            self.template_name,
            title=self.title(),
            status=status,
            original=self.row,
            form=self.form,
            action=send_url(self.request),
            button=self.button or self.label,
            tone=self.tone,
            sentence=self.explanation(),
            back=self.back(),
            **self.shown(),
        )
        return page if self.names_applicant else keep_form(self.request, page)

    def refuse(self, refused: DomainError) -> HttpResponse:
        """Show field errors in the form; return with a message for anything else."""
        if isinstance(refused, InvalidFields):
            show_refusal(self.form, refused.errors)
            return self.ask()
        if self.refused_in_form:
            self.form.add_error(None, str(refused))
            return self.ask(status=refused.http_status)
        return self.finish(str(refused), messages.ERROR)

    def finish(self, sentence: str, level: int = messages.SUCCESS) -> HttpResponse:
        """Go back with a message."""
        self.model_admin.message_user(self.request, sentence, level)
        return HttpResponseRedirect(self.back())


class SecretAction[M: Model](RowAction[M]):
    """An action that makes a secret and shows it once, in the response to the POST.

    The response is stored nowhere (``admin_view`` says ``no-store``), and the secret is in no
    message, session or log.
    """

    element_id = ""  # of the HTML element

    @abstractmethod
    def make(self) -> str | HttpResponse:
        """Make the secret and return it; a response where it is not made yet."""

    @abstractmethod
    def name_of_secret(self) -> str:
        """Return the secret's name as the page shows it."""

    @abstractmethod
    def then(self) -> tuple[str, str]:
        """Return address and label of the link on the page with the secret."""

    def next_steps(self) -> list[Button]:
        """Return what the page with the secret offers to do at once."""
        return []

    def act(self) -> HttpResponse:
        secret = self.make()
        if isinstance(secret, HttpResponse):
            return secret
        back, back_label = self.then()
        return secret_page(
            self,
            title=self.title(),
            secret=secret,
            value_name=self.name_of_secret(),
            element_id=self.element_id,
            back=back,
            back_label=back_label,
            next_steps=self.next_steps(),
        )


def secret_page(
    action: RowAction[Any],
    *,
    title: str,
    secret: str,
    value_name: str,
    element_id: str,
    back: str,
    back_label: str,
    next_steps: Sequence[Button] = (),
) -> HttpResponse:
    """Render the page that shows a new secret once; sent again, the form leads to ``back``."""
    page = admin_page(
        action.model_admin,
        action.request,
        "core/admin/secret.html",
        title=title,
        original=action.row,
        secret=secret,
        value_name=value_name,
        element_id=element_id,
        back=back,
        back_label=back_label,
        next_steps=next_steps,
    )
    name = f"{value_name[:1].upper()}{value_name[1:]}"
    sentence = f"{title}. {name} was shown then, once, and is not shown again."
    return stands_for(page, location=back, sentence=sentence)


class RowActionsAdmin[M: Model](DeclaredFiltersAdmin[M]):
    """Adds ``row_actions`` to an admin: their URLs, and their buttons on the row's page."""

    row_actions: tuple[type[RowAction[Any]], ...] = ()
    change_form_template = "core/admin/row_change_form.html"

    def row_buttons(self, request: HttpRequest, row: M) -> list[Button]:
        user = staff(request)
        return [button for action in self.row_actions for button in action.button_for(row, user)]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        context["row_buttons"] = self.row_buttons(request, row) if row is not None else []
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        return [*(action.url_pattern(self) for action in self.row_actions), *super().get_urls()]
