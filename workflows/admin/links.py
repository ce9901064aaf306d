"""Addresses of incidents, also of the one that a page was opened from."""

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from workflows.models import Incident


def incident_url(pk: int) -> str:
    return reverse("admin:workflows_incident_change", args=[pk])


def came_from(request: HttpRequest, incidents: QuerySet[Incident]) -> str | None:
    """Return the page of the incident in ``?incident=``, if it is one of ``incidents``."""
    asked = request.GET.get("incident", "")
    if not asked.isdecimal() or len(asked) > 18:
        return None
    incident = incidents.filter(pk=asked).first()
    return incident_url(incident.pk) if incident is not None else None
