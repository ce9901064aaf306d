"""Template tag of the admin's forms: the button that saves, in the header of the page."""

from typing import Any

from django import template
from django.contrib.admin.templatetags.admin_modify import submit_row

register = template.Library()


@register.inclusion_tag("core/admin/header_save.html", takes_context=True)
def header_save(context: template.RequestContext) -> dict[str, Any]:
    """Show a button that sends the form from the header, where the form has one to save."""
    return {
        "is_shown": bool(submit_row(context)["show_save"]),
        "form_id": f"{context['opts'].model_name}_form",
    }
