"""The stylesheet: every badge and button can be read, by light and by dark."""

import re

import pytest
from django.contrib.staticfiles import finders

AA = 4.5  # https://www.w3.org/TR/WCAG22/#contrast-minimum
TONES = ("quiet", "info", "wait", "fresh", "good", "bad", "alert")


def colours() -> dict[str, tuple[str, str]]:
    """Each variable of ours as (light, dark)."""
    path = finders.find("loanoffice/loanoffice.css")
    assert isinstance(path, str)
    with open(path, encoding="utf-8") as file:
        css = file.read()
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", css)
    single = re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", css)
    return {name: (light, dark) for name, light, dark in pairs} | {
        name: (both, both) for name, both in single
    }


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "background"),
    [
        *((f"{tone}-fg", f"{tone}-bg") for tone in TONES),
        ("accent", "good"),
        ("accent", "bad"),
        ("accent", "button-bg"),
        ("body-fg", "body-bg"),
        ("body-fg", "darkened-bg"),
        ("body-quiet-color", "body-bg"),
        ("body-quiet-color", "darkened-bg"),
        ("link-fg", "body-bg"),
        ("link-fg", "darkened-bg"),
        ("breadcrumbs-fg", "breadcrumbs-bg"),
        ("breadcrumbs-link-fg", "breadcrumbs-bg"),
    ],
)
def test_text_reaches_aa(text: str, background: str, scheme: int) -> None:
    found = colours()

    ratio = contrast(found[text][scheme], found[background][scheme])

    assert ratio >= AA, f"{text} on {background}: {ratio:.2f}"
