"""The documents for contributors are true: what they name exists, and the picture is current."""

import importlib
import json
import re
from pathlib import Path

import pytest
from django.conf import settings

from docs import architecture, performance

ROOT = Path(settings.BASE_DIR)
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
GUIDES = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs" / "architecture.md",
    ROOT / "docs" / "performance.md",
    *HOW_TO,
]
PAGES = [ROOT / "README.md", *GUIDES, ROOT / "docs" / "decisions" / "README.md", *DECISIONS]
TREES = "|".join([*architecture.packages(), "tests", "benchmarks", "docs", "requirements"])
DOTTED = re.compile(rf"`((?:{TREES})(?:\.\w+)+)`")
PATH = re.compile(rf"(?:[`\"= ])((?:{TREES})/[\w./-]*\w)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
TARGET = re.compile(r"(?:`|^ {4})make ([a-z-]+)", re.MULTILINE)


def names_in(page: Path, pattern: re.Pattern[str]) -> list[str]:
    return sorted(set(pattern.findall(page.read_text())))


def found_at(name: str) -> object:
    """Resolve an import path. Raises ``ImportError`` or ``AttributeError``."""
    parts = name.split(".")
    value: object = importlib.import_module(parts[0])
    for number, part in enumerate(parts[1:], start=2):
        if not hasattr(value, part):
            importlib.import_module(".".join(parts[:number]))
        value = getattr(value, part)
    return value


def by_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_picture_of_the_architecture_is_the_current_one() -> None:
    assert architecture.PICTURE.read_text() == architecture.svg(), "run `make architecture`"


def test_page_of_the_performance_has_the_figures_that_were_kept() -> None:
    topics = json.loads(performance.FIGURES.read_text())

    assert performance.PAGE.read_text() == performance.page(topics), "run `make performance`"
    assert performance.PICTURE.read_text() == performance.svg(topics), "run `make performance`"


def test_missed_aim_has_its_reason_on_the_page() -> None:
    aim = next(aim for aim in performance.AIMS if aim.topic == "product_to_bare sqlite")
    topics = {
        aim.topic: {
            "figures": {each.figure: 0.0 for each in performance.AIMS if each.topic == aim.topic},
            **dict.fromkeys(("setting", "commit", "measured", "machine", "python", "others"), ""),
        }
    }

    page = performance.page(topics)

    assert f"{aim.figure} | 0 | at least 0.70 | no | reason 1 |" in page
    assert f"1. {aim.why}" in page


@pytest.mark.parametrize("page", HOW_TO, ids=by_name)
def test_every_import_path_of_a_how_to_leads_to_something(page: Path) -> None:
    names = names_in(page, DOTTED)

    assert names
    for name in names:
        found_at(name)


@pytest.mark.parametrize("name", ["lending.nothing", "lending.models.LendingPolicy.nothing"])
def test_import_path_that_leads_nowhere_is_noticed(name: str) -> None:
    with pytest.raises((ImportError, AttributeError)):
        found_at(name)


@pytest.mark.parametrize("page", GUIDES, ids=by_name)
def test_every_file_that_a_guide_names_exists(page: Path) -> None:
    assert [name for name in names_in(page, PATH) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = [link for link in names_in(page, LINK) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_target_of_make_that_a_page_names_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert set(names_in(page, TARGET)) <= set(targets)


def test_every_marker_is_explained_to_contributors() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    markers = re.findall(r'^    "(\w+): ', text.partition("\nmarkers = [")[2], re.MULTILINE)

    guide = (ROOT / "CONTRIBUTING.md").read_text()
    assert markers
    assert [marker for marker in markers if f"| `{marker}` |" not in guide] == []


def test_index_of_decisions_has_a_row_for_each_record() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    rows = re.findall(r"^\| (\d+) \| \[([^\]]+)\]\(([^)]+)\)", index, re.MULTILINE)

    titles = [path.read_text().partition("\n")[0] for path in DECISIONS]
    assert titles == [f"# {number}. {title}" for number, title, _ in rows]
    assert [path.name for path in DECISIONS] == [name for _, _, name in rows]
