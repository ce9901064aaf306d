"""``manage.py traces``: list the traces of a file, or print one as a tree."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from devtools.trace_tree import Node, UnreadableSpans, summary, traces_read, tree


class Command(BaseCommand):
    help = "List the traces in a file that `make demo TRACES=1` wrote, or print some as trees."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, nargs="?", default=Path(settings.DATA_DIR) / "traces.jsonl"
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--trace", help="Print this one, and those that it is linked to.")
        which.add_argument("--application", help="Print those of this application.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        try:
            traces = traces_read(options["file"])
        except (OSError, UnreadableSpans) as error:
            raise CommandError(str(error)) from None
        if options["trace"] is None and options["application"] is None:
            self.list_all(traces)
            return
        wanted = options["trace"] or options["application"]
        chosen = [
            trace_id
            for trace_id, nodes in traces.items()
            if trace_id == wanted or any(_is_of(node, options["application"]) for node in nodes)
        ]
        if not chosen:
            raise CommandError(f"{options['file']} has no trace of {wanted}.")
        drawn = ("\n".join(tree(nodes)) for nodes in _with_linked(traces, chosen))
        self.stdout.write("\n\n".join(drawn))

    def list_all(self, traces: dict[str, list[Node]]) -> None:
        """Write one line for each trace of several spans, and how many others there are."""
        several = [nodes for nodes in traces.values() if len(nodes) > 1]
        for nodes in several:
            self.stdout.write(summary(nodes))
        self.stdout.write(f"and {len(traces) - len(several)} of one span each")


def _is_of(node: Node, reference: str | None) -> bool:
    """Return whether a span belongs to an execution of this application."""
    arn = str(node.attributes.get("durable.execution.arn", ""))
    return reference is not None and f"/durable-execution/{reference}-" in arn


def _with_linked(traces: dict[str, list[Node]], chosen: Iterable[str]) -> list[list[Node]]:
    """Return these traces, and behind them those that they are linked to."""
    wanted = dict.fromkeys(chosen)
    linked = [link for trace_id in wanted for node in traces[trace_id] for link in node.links]
    return [traces[each] for each in dict.fromkeys([*wanted, *linked]) if each in traces]
