"""What the admin's front page draws: the dashboard's values, its charts, where tiles lead."""

from typing import Any

from loanoffice.charts import grouped_bars, shares
from loanoffice.dashboard import Dashboard, day_begins


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
