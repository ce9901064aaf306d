"""Write a story as plain text, as JSON, and as Markdown for a ticket."""

import json
import re
from collections.abc import Callable, Iterator

from accounts.story import Person
from audit.story import Line
from audit.times import for_programs, instant, zone_sentence
from loanoffice.story import Story

MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]<>|#~])")
NOBODY = "nobody"
COLUMNS = ("at", "kind", "attempt", "what", "who", "facts")


def as_text(story: Story) -> str:
    """Return lines for a terminal: the facts first, then one line for each thing that happened."""
    rows = [f"Story of {story.reference}", ""]
    rows += [f"{name:<10} {value}" for name, value in _head(story)]
    rows += [f"not read   {sentence}" for sentence in story.unread]
    rows += ["", zone_sentence(), ""]
    rows += [_text_line(line) for line in story.lines]
    return "\n".join(rows)


def _text_line(line: Line) -> str:
    who = f"{line.who}: " if line.who else ""
    facts = "; ".join(f"{name}: {_one_line(value)}" for name, value in line.facts)
    tail = f" [{facts}]" if facts else ""
    return f"{instant(line.at)}  {line.kind:<11} {who}{_one_line(line.what)}{_attempt(line)}{tail}"


def _attempt(line: Line) -> str:
    return f" (attempt {line.attempt})" if line.attempt else ""


def as_json(story: Story) -> str:
    """Return one object; times are ISO 8601 in UTC."""
    told = {
        "reference": story.reference,
        "applicant": story.applicant,
        "partner": story.partner,
        "status": story.status,
        "step": story.step,
        "attempt": story.attempt,
        "amount": story.amount,
        "created_at": for_programs(story.created_at),
        "people": [
            {"login": person.login, "roles_now": person.roles, "active": person.is_active}
            for person in story.people
        ],
        "request_ids": story.requests,
        "trace_ids": story.traces,
        "not_read": story.unread,
        "lines": [
            {
                "at": for_programs(line.at),
                "kind": line.kind.value,
                "what": line.what,
                "who": line.who,
                "attempt": line.attempt,
                "facts": dict(line.facts),
            }
            for line in story.lines
        ],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def as_markdown(story: Story) -> str:
    """Return a title, a list of facts and a table with a row for each thing that happened."""
    rows = [f"# Story of {story.reference}", ""]
    rows += [f"- {name}: {_escaped(value)}" for name, value in _head(story)]
    rows += [f"- not read: {_escaped(sentence)}" for sentence in story.unread]
    rows += ["", zone_sentence(), ""]
    rows += [
        "| at | kind | attempt | what | who | facts |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for line in story.lines:
        facts = "; ".join(f"{name}: {value}" for name, value in line.facts)
        attempt = str(line.attempt or "")
        cells = (instant(line.at), line.kind.value, attempt, line.what, line.who, facts)
        rows.append(f"| {' | '.join(map(_escaped, cells))} |")
    return "\n".join(rows)


def _escaped(text: str) -> str:
    return MARKDOWN_SIGNS.sub(r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _head(story: Story) -> Iterator[tuple[str, str]]:
    yield "applicant", story.applicant
    yield "partner", story.partner or "none"
    yield "status", f"{story.status}, attempt {story.attempt}"
    yield "step", story.step or "none"
    yield "amount", story.amount
    yield "created", instant(story.created_at)
    yield "people", "; ".join(map(_person, story.people)) or NOBODY
    yield "requests", ", ".join(story.requests) or "none"
    yield "traces", ", ".join(story.traces) or "none"


def _person(person: Person) -> str:
    roles = ", ".join(person.roles) or "no role"
    return f"{person.login} ({roles}{'' if person.is_active else ', not active'})"


FORMATS: dict[str, Callable[[Story], str]] = {
    "text": as_text,
    "json": as_json,
    "markdown": as_markdown,
}
