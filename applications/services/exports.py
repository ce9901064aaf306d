"""Taking a list of applications away: who may, and the one place where it is noted."""

import logging
from collections.abc import Mapping

from django.contrib.auth.models import User

from audit.models import Action
from audit.services import entry_record
from core.errors import NotPermitted

logger = logging.getLogger(__name__)

EXPORT = "applications.export_loanapplication"


def export_check(*, user: User) -> None:
    """Raise ``NotPermitted`` unless this person may take the list away."""
    if not (user.has_perm(EXPORT) and user.has_perm("applications.view_loanapplication")):
        raise NotPermitted("You may not export the list of applications.")


def export_record(*, user: User, asked: Mapping[str, str], searched: str) -> None:
    """Note an export: called once for each, before its first byte leaves.

    ``asked`` are the filters as the page's address has them. ``searched`` is what was typed
    to search; it may be somebody's name, so it is kept in neither log.
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
