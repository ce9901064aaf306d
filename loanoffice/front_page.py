"""Prepare the admin's front page: the dashboard's values, its charts, the links of tiles."""

from typing import Any

from accounts.proposals import is_single_admin
from core.charts import grouped_bars, shares
from loanoffice.dashboard import Dashboard


def index_context(dashboard: Dashboard) -> dict[str, Any]:
    """Return the context of ``admin/index.html``: the values, the charts, the links of tiles."""
    context: dict[str, Any] = {"dashboard": dashboard, "single_admin": is_single_admin()}
    if (flow := dashboard.flow) is not None:
        context |= {
            "flow_chart": grouped_bars(
                {
                    "submitted": [day.submitted for day in flow.days],
                    "funded": [day.funded for day in flow.days],
                    "declined": [day.declined for day in flow.days],
                }
            ),
        }
    if (office := dashboard.office) is not None:
        stages = office.funnel.stages
        widths = shares([many for _, many, _ in stages])
        context["funnel_rows"] = [
            (*stage, width) for stage, width in zip(stages, widths, strict=True)
        ]
    if (tasks := dashboard.open_tasks) is not None:
        widths = shares([age.tasks for age in tasks.ages])
        context["age_rows"] = list(zip(tasks.ages, widths, strict=True))
    return context
