"""Draw ``docs/architecture.svg`` from the source code: ``make architecture``.

The first part shows which package imports which, in the order of the layers of ``pyproject.toml``,
with the captions of the table in ``docs/architecture.md``. The second part shows the operations of
``functions.loan_approval.carry`` in their order. Both are read from the syntax trees, so nothing of
the product is imported and Django is not needed.
"""

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
GUIDE = ROOT / "docs" / "architecture.md"
WORKFLOW = ROOT / "functions" / "loan_approval.py"
ENDS = {"end", "close"}  # methods that end the execution with the status that they are given
# What a step missed on record is asked for by operations that are drawn at their own places.
NOT_FOLLOWED = frozenset({"ask_again"})
CAPTION = re.compile(r"^\| `(\w+)` \| ([^|]+?) \|", re.MULTILINE)

WIDTH = 880
ROW, CELL, MATRIX_LEFT = 32, 24, 552
BOX_LEFT, BOX_WIDTH, GAP, LINE = 300, 340, 22, 15
IN_BOX, IN_MARGIN = 47, 40  # letters of a line
STYLE = """
  svg { --paper: #ffffff; --ink: #1f2933; --soft: #52606d; --line: #d5dce3;
        --box: #eef2f6; --person: #fdf0d5; --mark: #1d5fa8; --end: #9b1c1c; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #12171d; --ink: #e6ebf0; --soft: #a9b4bf; --line: #333d47;
          --box: #1f2831; --person: #40331a; --mark: #6cb2ff; --end: #ff9d9d; }
  }
  text { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 12px; fill: var(--ink); }
  .title { font-size: 16px; font-weight: bold; }
  .name { font-family: "DejaVu Sans Mono", Menlo, monospace; font-weight: bold; }
  .code { font-family: "DejaVu Sans Mono", Menlo, monospace; font-size: 11px; fill: var(--soft); }
  .soft { fill: var(--soft); }
  .end { fill: var(--end); }
  .paper { fill: var(--paper); }
  .box { fill: var(--box); stroke: var(--line); }
  .person { fill: var(--person); stroke: var(--line); }
  .optional { stroke: var(--soft); stroke-dasharray: 5 3; }
  .line { stroke: var(--line); }
  .arrow { stroke: var(--soft); fill: none; }
  .head { fill: var(--soft); }
  .mark { fill: var(--mark); }
  .self { fill: var(--line); }
"""


@dataclass
class Operation:
    """One operation of the workflow, or a group of them that one method of it makes."""

    name: str
    function: str  # what does the work, by its import path
    condition: str = ""
    branches: list[str] = field(default_factory=list)
    asks_person: bool = False
    ends: list[str] = field(default_factory=list)  # the statuses that it can end with


def packages() -> list[str]:
    """The product's packages, the highest layer first."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layers] = [each["layers"] for each in tool["contracts"] if each["type"] == "layers"]
    ordered = [name for layer in layers for name in layer.split(" | ")]
    return [*ordered, *(name for name in tool["root_packages"] if name not in ordered)]


def imports(package: str) -> set[str]:
    """The first names of all modules that the package's modules import."""
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


class Workflow:
    """The operations of the durable handler, read from its module's syntax tree."""

    def __init__(self, source: str) -> None:
        tree = ast.parse(source)
        self.origins = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        [self.carry] = [
            node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "carry"
        ]
        [workflow] = [
            node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Workflow"
        ]
        self.methods = {
            node.name: node for node in workflow.body if isinstance(node, ast.FunctionDef)
        }
        self.values: dict[str, ast.expr] = {}  # the variables of ``carry``

    def operations(self) -> list[Operation]:
        found: list[Operation] = []
        self._read(self.carry.body, "", found)
        return found

    def _read(self, body: list[ast.stmt], condition: str, found: list[Operation]) -> None:
        for statement in body:
            if isinstance(statement, ast.If):
                test = ast.unparse(statement.test)
                self._read(statement.body, test, found)
                self._read(statement.orelse, f"not ({test})", found)
                continue
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self.values[statement.targets[0].id] = statement.value
            made = [self._operation(call, condition) for call in _calls(statement, "flow")]
            found.extend(made)
            if isinstance(statement, ast.Return):
                # The status of the last step is what the step returns.
                found[-1].ends += [] if made else list(_texts(statement))

    def _operation(self, call: ast.Call, condition: str) -> Operation:
        method = _method(call)
        if method in {"step", "checked_step"}:
            [name] = _texts(call.args[0])
            return Operation(name, self._body(call), condition)
        first = call.args[0] if call.args else None
        if isinstance(first, ast.Name):
            first = self.values.get(first.id)
        is_member = isinstance(first, ast.Attribute)
        return Operation(
            name=self._member(first) if isinstance(first, ast.Attribute) else method,
            function=next(self._bodies(method)),
            condition=condition,
            branches=self._branches(method),
            asks_person=is_member,
            ends=list(set(self._ends(method))),
        )

    def _member(self, node: ast.Attribute) -> str:
        """The value of an enumeration's member."""
        return self._members(ast.unparse(node.value))[node.attr]

    def _members(self, enumeration: str) -> dict[str, str]:
        module = self.origins[enumeration].rpartition(".")[0]
        tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
        [named] = [
            node
            for node in tree.body
            if isinstance(node, ast.ClassDef) and node.name == enumeration
        ]
        return {
            ast.unparse(each.targets[0]): next(_texts(each.value))
            for each in named.body
            if isinstance(each, ast.Assign)
        }

    def _branches(self, method: str) -> list[str]:
        """The members of the enumeration that a method makes one branch for each of."""
        return [
            value
            for node in ast.walk(self.methods[method])
            if isinstance(node, ast.comprehension) and ast.unparse(node.iter) in self.origins
            for value in self._members(ast.unparse(node.iter)).values()
        ]

    def _bodies(self, method: str, within: frozenset[str] = NOT_FOLLOWED) -> Iterator[str]:
        """Return the bodies of a method's steps, and of the methods that it calls."""
        within |= {method}
        for call in _calls(self.methods[method], "self"):
            if _method(call) in {"step", "_step"}:
                yield self._body(call)
            elif _method(call) not in ENDS | within and _method(call) in self.methods:
                yield from self._bodies(_method(call), within)

    def _body(self, call: ast.Call) -> str:
        """The import path of the function that a step's lambda calls."""
        [body] = [each.body for each in call.args if isinstance(each, ast.Lambda)]
        if not isinstance(body, ast.Call):
            raise TypeError(f"{ast.unparse(call)}: its body is not one call")
        module, _, function = ast.unparse(body.func).partition(".")
        return ".".join(filter(None, (self.origins[module], function)))

    def _ends(self, method: str, within: frozenset[str] = NOT_FOLLOWED) -> Iterator[str]:
        within |= {method}
        for call in _calls(self.methods[method], "self"):
            if _method(call) in ENDS:
                yield from _texts(call.args[0])
            elif _method(call) in self.methods.keys() - within:
                yield from self._ends(_method(call), within)


def _calls(node: ast.AST, owner: str) -> list[ast.Call]:
    """The calls ``owner.method(...)`` in a piece of code, in the order of the source."""
    calls = [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and ast.unparse(each.func.value) == owner
    ]
    return sorted(calls, key=lambda call: (call.lineno, call.col_offset))


def _method(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _texts(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def text(x: int, y: int, words: str, kind: str = "", extra: str = "") -> str:
    attributes = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{attributes}{extra}>{escape(words)}</text>'


def box(x: int, y: int, width: int, height: int, kind: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" class="{kind}"/>'


def draw_packages(top: int) -> tuple[list[str], int]:
    """The packages as rows, and a mark in the column of each package that a row imports."""
    names = packages()
    captions = dict(CAPTION.findall(GUIDE.read_text()))
    rows_top = top + 118
    bottom = rows_top + ROW * len(names)
    lines = [
        text(20, top, "Packages", "title"),
        text(20, top + 24, "The highest layer first.", "soft"),
        text(20, top + 42, "A mark: a module of the row imports one of the column.", "soft"),
        text(20, top + 60, "All marks are right of the diagonal: imports point down only.", "soft"),
    ]
    for number, name in enumerate(names):
        x = MATRIX_LEFT + CELL * number + CELL // 2
        turned = f' transform="rotate(-90 {x + 4} {rows_top - 8})"'
        lines += [
            text(x + 4, rows_top - 8, name, "code", turned),
            f'<line x1="{x}" y1="{rows_top}" x2="{x}" y2="{bottom - 4}" class="line"/>',
        ]
    for row, name in enumerate(names):
        y = rows_top + ROW * row
        middle = y + ROW // 2 - 2
        end = MATRIX_LEFT + CELL * len(names)
        lines += [
            box(20, y, MATRIX_LEFT - 32, ROW - 4, "box"),
            text(32, middle + 4, name, "name"),
            text(148, middle + 4, captions[name]),
            f'<line x1="{MATRIX_LEFT}" y1="{middle}" x2="{end}" y2="{middle}" class="line"/>',
        ]
        imported = imports(name)
        for column, other in enumerate(names):
            x = MATRIX_LEFT + CELL * column + CELL // 2
            if other == name:
                lines.append(f'<circle cx="{x}" cy="{middle}" r="4" class="self"/>')
            elif other in imported:
                lines.append(f'<circle cx="{x}" cy="{middle}" r="7" class="mark"/>')
    return lines, bottom


def draw_workflow(top: int) -> tuple[list[str], int]:
    """The operations from top to bottom, with their conditions and the ways to end early."""
    operations = Workflow(WORKFLOW.read_text()).operations()
    lines = [
        text(20, top, "Workflow", "title"),
        text(20, top + 24, "The operations of one execution, in their order.", "soft"),
        text(20, top + 42, "Dashed: only under the condition on its left.", "soft"),
        text(470, top + 24, "Right: how the execution may end there.", "soft"),
        box(470, top + 31, 22, 14, "person"),
        text(500, top + 42, "Suspended until a person answers.", "soft"),
    ]
    y = top + 62
    middle = BOX_LEFT + BOX_WIDTH // 2
    for operation in operations:
        kind = "person" if operation.asks_person else "box"
        if operation.condition:
            kind += " optional"
            condition = re.sub(r"\b[a-z_]+\.", "", f"if {operation.condition}")  # variables
            lines += draw_lines(20, y + 17, textwrap.wrap(condition, IN_MARGIN))
        branches = f"at once: {', '.join(operation.branches)}" if operation.branches else ""
        details = [operation.function, *textwrap.wrap(branches, IN_BOX)]
        height = 25 + LINE * len(details)
        lines += [
            box(BOX_LEFT, y, BOX_WIDTH, height, kind),
            text(BOX_LEFT + 12, y + 17, operation.name, "name"),
            *draw_lines(BOX_LEFT + 12, y + 17 + LINE, details),
        ]
        if operation.ends:
            start = BOX_LEFT + BOX_WIDTH
            lines += [
                *arrow(start, y + 20, start + 28, y + 20),
                text(start + 36, y + 24, " or ".join(sorted(operation.ends)), "end"),
            ]
        lines += arrow(middle, y + height, middle, y + height + GAP)
        y += height + GAP
    lines.append(text(middle, y + 16, "funded", "name", ' text-anchor="middle"'))
    return lines, y + 16


def draw_lines(x: int, y: int, lines: list[str]) -> list[str]:
    return [text(x, y + LINE * number, line, "code") for number, line in enumerate(lines)]


def arrow(x1: int, y1: int, x2: int, y2: int) -> list[str]:
    points = (
        f"{x2 - 4},{y2 - 7} {x2 + 4},{y2 - 7} {x2},{y2 - 1}"
        if x1 == x2
        else f"{x2 - 7},{y2 - 4} {x2 - 7},{y2 + 4} {x2 - 1},{y2}"
    )
    return [
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="arrow"/>',
        f'<polygon points="{points}" class="head"/>',
    ]


def svg() -> str:
    """The whole picture."""
    upper, bottom = draw_packages(36)
    lower, bottom = draw_workflow(bottom + 48)
    height = bottom + 24
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img">',
            "<title>The packages and the workflow of Loan Office</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{height}" class="paper"/>',
            *upper,
            *lower,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(svg())
