"""Accessibility check of a page by axe-core: the rules of WCAG 2.2 AA that a machine can check.

The bundled script is evaluated by the browser's debugger, so the page's own policy stays as
strict as it is for everybody.
"""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

FAILING = frozenset({"serious", "critical"})
# The rules of axe that colours decide, less the one of level AAA.
COLOURS = ("color-contrast", "link-in-text-block")
# Not the rules for a page's frames and style sheets elsewhere: there are none. Text in the colour
# of what is behind it is "incomplete" to axe, as it may be meant to be hidden; here it never is.
RUN = """async (options) => {
    const found = await axe.run(document,
        {resultTypes: ["violations", "incomplete"], preload: false, ...options});
    const unseen = (node) => node.any.some((check) => check.data?.messageKey === "equalRatio");
    const invisible = found.incomplete
        .map((rule) => ({...rule, impact: "serious", nodes: rule.nodes.filter(unseen)}))
        .filter((rule) => rule.nodes.length);
    return [...found.violations, ...invisible];
}"""


def violations(page: Page, *, only: tuple[str, ...] = ()) -> list[str]:
    """Each serious or critical violation as a readable message: the rule, then every node.

    ``only`` names rules; without it all of axe's are asked, best practices too.
    """
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    options = {"runOnly": {"type": "rule", "values": list(only)}} if only else {}
    found: list[dict[str, Any]] = page.evaluate(RUN, options)
    return [_told(violation) for violation in found if violation["impact"] in FAILING]


def _told(violation: dict[str, Any]) -> str:
    lines = [f"{violation['id']} ({violation['impact']}): {violation['help']}"]
    for node in violation["nodes"]:
        checks = [*node["any"], *node["all"], *node["none"]]
        lines.append(f"    {' '.join(map(str, node['target']))}")
        lines.append(f"        {node['html'][:200]}")
        lines.extend(f"        {check['message']}" for check in checks)
    return "\n".join(lines)
