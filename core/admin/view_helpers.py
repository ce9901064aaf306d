"""View helpers that admin pages of several apps use."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse


def admin_page(
    model_admin: "ModelAdmin[Any]",
    request: HttpRequest,
    template: str,
    *,
    title: str,
    status: int = 200,
    **shown: Any,
) -> HttpResponse:
    """Render a page of the admin that is not one of Django's own forms."""
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(
        request,
        template,
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.opts,
            "media": model_admin.media,
            "title": title,
            **shown,
        },
        status=status,
    )
