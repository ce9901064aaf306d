"""Record in the audit log what staff read through the API."""

from rest_framework.request import Request

from applications.services import access_log
from partners.api.authentication import partner_of, staff_of


def note_read(request: Request, reference: str) -> None:
    """Staff are on record with what they read; a partner reads what is its own."""
    if partner_of(request) is None:
        access_log.application_read(reference=reference, user=staff_of(request))
