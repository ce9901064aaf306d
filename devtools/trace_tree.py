"""Read the spans of a file and print a trace as a tree, in plain text."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MILLISECOND = 1_000_000  # nanoseconds
# An operation and the one attempt that it took are one line.
ATTEMPT = " attempt 1"
# The branch of a parallel block stands beside its only step, with the same name and time.
SUBTYPE, BRANCH = "durable.operation.subtype", "ParallelBranch"


class UnreadableSpans(Exception):
    """A file does not hold spans, one JSON object a line."""


@dataclass(frozen=True)
class Node:
    """A span, as a line of the file has it."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    start: int  # nanoseconds since 1970
    end: int
    status: str
    attributes: Mapping[str, Any]
    links: tuple[str, ...]  # trace ids

    @classmethod
    def read(cls, line: str) -> "Node":
        """Read one line. Raises ``UnreadableSpans``."""
        try:
            found = json.loads(line)
            links = tuple(dict.fromkeys(link["trace_id"] for link in found["links"]))
            named = {name: found[name] for name in cls.__dataclass_fields__ if name != "links"}
            return cls(**named, links=links)
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableSpans(f"{line[:60].strip()!r} is no span") from error


def traces_read(path: Path) -> dict[str, list[Node]]:
    """Read a file's spans by trace, the trace that began first at the beginning.

    Raises ``OSError``, ``UnreadableSpans``.
    """
    found: dict[str, list[Node]] = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            node = Node.read(line)
            found[node.trace_id].append(node)
    for nodes in found.values():
        nodes.sort(key=lambda node: (node.start, -node.end))
    return dict(sorted(found.items(), key=lambda item: item[1][0].start))


def summary(nodes: list[Node]) -> str:
    """Describe a trace in one line: its id, its spans, its time, its first span."""
    return (
        f"{nodes[0].trace_id}  {len(nodes):>4} spans  {seconds(span_of_time(nodes)):>9}  "
        f"{nodes[0].name}"
    )


def span_of_time(nodes: list[Node]) -> int:
    """Return the nanoseconds between the first start and the last end."""
    return max(node.end for node in nodes) - nodes[0].start


def seconds(nanoseconds: int) -> str:
    """Write a duration: whole milliseconds below a second."""
    milliseconds = nanoseconds / MILLISECOND
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def tree(nodes: list[Node]) -> Iterator[str]:
    """Draw one trace, a line for each span: when it began, how long it took, and which process.

    A span whose parent is not in the file stands at the top: a process that is killed loses what
    it has not exported.
    """
    known = {node.span_id for node in nodes}
    children: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        children[node.parent_id if node.parent_id in known else ""].append(node)
    yield summary(nodes)
    for top in children[""]:
        yield from _lines(top, children, began=nodes[0].start, first="", others="")


def _lines(
    node: Node, children: Mapping[str, list[Node]], *, began: int, first: str, others: str
) -> Iterator[str]:
    below = list(_shown_below(node, children))
    yield _line(node, f"{first}{node.name}", began)
    for number, child in enumerate(below):
        is_last = number == len(below) - 1
        yield from _lines(
            child,
            children,
            began=began,
            first=others + ("└─ " if is_last else "├─ "),
            others=others + ("   " if is_last else "│  "),
        )


def _shown_below(node: Node, children: Mapping[str, list[Node]]) -> Iterable[Node]:
    below = [
        child
        for child in children.get(node.span_id, [])
        if child.span_id in children or child.attributes.get(SUBTYPE) != BRANCH
    ]
    if len(below) == 1 and below[0].name == node.name + ATTEMPT and below[0].status != "error":
        return children.get(below[0].span_id, [])
    return below


def _line(node: Node, label: str, began: int) -> str:
    notes = [node.service.removeprefix("loanoffice-")]
    status = node.attributes.get("http.status_code", node.attributes.get("loanoffice.status"))
    if status is not None:
        notes.append(str(status))
    if node.status == "error":
        notes.append("error")
    notes += [f"linked to {trace_id}" for trace_id in node.links if trace_id != node.trace_id]
    return (
        f"{seconds(node.start - began):>9} {seconds(node.end - node.start):>9}  "
        f"{label}  ({', '.join(filter(None, notes))})"
    )
