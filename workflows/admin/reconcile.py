"""The reconcile page: GET compares, POST repairs, both within a time limit."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from applications.models import LoanApplication
from core.admin.base import ReadOnlyAdmin, staff
from core.admin.view_helpers import admin_page
from core.errors import NotPermitted
from workflows.models import Incident
from workflows.reconcile.manual import reconcile_manually


@require_http_methods(["GET", "HEAD", "POST"])
def reconcile_view(request: HttpRequest, *, model_admin: ReadOnlyAdmin[Incident]) -> HttpResponse:
    """Show what differs between the record and the engine; POST repairs it."""
    if not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    try:
        looked = reconcile_manually(user=staff(request), dry_run=request.method != "POST")
    except NotPermitted as refused:
        model_admin.message_user(request, str(refused), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:workflows_incident_changelist"))
    found = len(looked.findings)
    rows = LoanApplication.objects.filter(
        reference__in={finding.reference for finding in looked.findings}
    )
    by_reference = {application.reference: application for application in rows}
    return admin_page(
        model_admin,
        request,
        "workflows/admin/reconcile.html",
        title="Compare the record with the engine",
        looked=looked,
        rows=[(finding, by_reference.get(finding.reference)) for finding in looked.findings],
        form=None,
        button=f"Repair {found} finding{'' if found == 1 else 's'}",
        tone="good",
    )
