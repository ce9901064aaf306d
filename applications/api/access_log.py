"""Record reads of staff through the API in the audit log."""

from rest_framework.request import Request

from applications.services import access_log
from partners.api.authentication import partner_of, staff_of


def note_read(request: Request, reference: str) -> None:
    """Record a read by staff. A partner's read is not recorded: it reads only its own data."""
    if partner_of(request) is None:
        access_log.application_read(reference=reference, user=staff_of(request))
