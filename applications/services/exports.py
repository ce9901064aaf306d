"""Check and record exports of the list of applications."""

import logging
from collections.abc import Mapping

from django.contrib.auth.models import User

from audit.models import Action
from audit.services import entry_record
from core.errors import NotPermitted

logger = logging.getLogger(__name__)

EXPORT = "applications.export_loanapplication"


def export_check(*, user: User) -> None:
    """Raise ``NotPermitted`` unless ``user`` may export the list."""
    if not (user.has_perm(EXPORT) and user.has_perm("applications.view_loanapplication")):
        raise NotPermitted("You may not export the list of applications.")


def export_record(*, user: User, asked: Mapping[str, str], searched: str) -> None:
    """Record an export; call it once for each, before its first byte is sent.

    ``asked`` are the filters of the page's query string. ``searched`` is the search text; it may
    be a person's name, so neither log stores it.
    """
    entry_record(
        action=Action.EXPORTED,
        message="The list of applications was exported.",
        actor=user,
        details={"filters": dict(asked), "searched": bool(searched)},
    )
    logger.info(
        "Applications are exported",
        extra={"user": user.pk, "filters": dict(asked), "searched": bool(searched)},
    )
