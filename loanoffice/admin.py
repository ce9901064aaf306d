"""The admin site of Loan Office: its name, its front page and the way around it."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from applications.admin.base import staff
from loanoffice.charts import grouped_bars, shares
from loanoffice.dashboard import Dashboard, dashboard_of, day_begins


class LoanOfficeAdminSite(AdminSite):
    site_header = "Loan Office"
    site_title = "Loan Office"
    index_title = "Today"
    site_url = None  # there is no other site to view

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The dashboard: what this person may see of the office today."""
        shown = dashboard_of(user=staff(request), now=timezone.now())
        return super().index(request, {**drawn(shown), **(extra_context or {})})


def drawn(dashboard: Dashboard) -> dict[str, Any]:
    """What ``admin/index.html`` draws of it: the values, the charts, and where tiles lead."""
    context: dict[str, Any] = {"dashboard": dashboard}
    if (flow := dashboard.flow) is not None:
        context |= {
            "flow_chart": grouped_bars(
                {
                    "submitted": [day.submitted for day in flow.days],
                    "funded": [day.funded for day in flow.days],
                    "declined": [day.declined for day in flow.days],
                }
            ),
            "today_begins": day_begins(flow.today.day).isoformat(),
            "past_begins": day_begins(flow.days[0].day).isoformat(),
        }
    if (queue := dashboard.queue) is not None:
        widths = shares([age.tasks for age in queue.ages])
        context["queue_rows"] = list(zip(queue.ages, widths, strict=True))
    return context
