"""Layout of a page in a browser: what is cut, and what is too small to be touched on a phone."""

from playwright.sync_api import Page

TARGET = 44  # px, https://www.w3.org/TR/WCAG22/#target-size-enhanced
PHONE = 767  # px, the widest screen that gets the narrow layout
# Text that is shown as it was sent may be scrolled: its lines are nobody's to break. So may a
# drawing whose width is time.
MEASURE = """([target, phone]) => {
    const name = (e) => e.tagName.toLowerCase() + (e.id ? `#${e.id}` : "") +
        [...e.classList].map((c) => `.${c}`).join("");
    const seen = (e) => e.checkVisibility({visibilityProperty: true}) && !e.closest(
        ".visually-hidden, .skip-to-content-link, pre, .reference, .drawing");
    const found = [];
    for (const e of document.body.querySelectorAll("*")) {
        if (e.matches("input, select, textarea, svg, svg *") || !seen(e)) continue;
        const beyond = e.scrollWidth - e.clientWidth;
        if (getComputedStyle(e).overflowX !== "visible" && e.clientWidth > 1 && beyond > 1)
            found.push(`${name(e)} hides ${beyond} px`);
    }
    if (window.innerWidth > phone) return found;
    // A link in a sentence is as high as its line.
    const inSentence = (e) => getComputedStyle(e).display === "inline" &&
        [...e.parentNode.childNodes].some((n) => n.nodeType === 3 && /[a-z]{2}/.test(n.data));
    for (const e of document.querySelectorAll(
        "a[href], button, summary, select, textarea, input:not([type=hidden])"
    )) {
        if (!seen(e) || (e.matches("a") && inSentence(e))) continue;
        const box = (e.matches("input") && e.closest("label") || e).getBoundingClientRect();
        const small = Math.min(box.width, box.height);
        if (small > 1 && small < target - 0.5)
            found.push(`${name(e)} "${e.textContent.trim().slice(0, 30)}" is ` +
                `${Math.round(box.width)} by ${Math.round(box.height)} px`);
    }
    return found;
}"""


def faults(page: Page) -> list[str]:
    """Return what hides something to the side and, on a phone, what is under 44 px."""
    found: list[str] = page.evaluate(MEASURE, [TARGET, PHONE])
    return found
