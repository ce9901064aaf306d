"""Find what a migration removes that older code needs, operation by operation.

Tables and columns before and after each operation are compared as the database will see
them, so a rename that keeps its column is no change, and every kind of operation is covered.
Reads the migrations and the database's record of them; writes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, models
from django.db.migrations import Migration, RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

# The apps whose models the durable functions read or write.
APPS = frozenset(
    {
        "applications",
        "audit",
        "auth",
        "lending",
        "partners",
        "reviews",
        "webhooks",
        "workflows",
    }
)
# The attribute of a migration whose own code or SQL is safe for older code.
MARK = "old_code_safe"
OPAQUE = (
    "It runs code or SQL of its own, and only its author knows whether older code can live with "
    f"what that does: {MARK} = True on the migration says so."
)


@dataclass(frozen=True)
class Danger:
    """An operation of a pending migration that breaks older code, and the reason."""

    migration: str  # app.name
    operation: str
    sentence: str


@dataclass(frozen=True)
class Column:
    """The properties of a column that code relies on."""

    kind: str  # the database's type without its length
    null: bool
    filled: bool  # by the database, when an INSERT omits it
    length: int | None  # characters, None without a limit
    digits: tuple[int, int] | None  # before and after the decimal point

    @property
    def demands(self) -> bool:
        """True when an INSERT without the column fails."""
        return not self.null and not self.filled


type Tables = dict[str, dict[str, Column]]


def dangers_pending() -> list[Danger]:
    """List the dangers in what ``migrate`` would do now, in its order.

    Raises ``DatabaseError``, and what Django raises for migrations that cannot be read.
    """
    executor = MigrationExecutor(connection)
    loader = executor.loader
    leaves = loader.graph.leaf_nodes()
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for migration, _ in executor.migration_plan(leaves, clean_start=True):
        if (migration.app_label, migration.name) in loader.applied_migrations:
            state = migration.mutate_state(state, preserve=False)
    known = _tables(state)
    found = []
    for migration, _ in executor.migration_plan(leaves):
        if migration.app_label not in APPS:
            state = migration.mutate_state(state, preserve=False)
            continue
        losses, state = _dangers(migration, migration.operations, state, known)
        found += [
            Danger(f"{migration.app_label}.{migration.name}", operation.describe(), sentence)
            for operation, sentence in losses
        ]
    return found


def _dangers(
    migration: Migration, operations: Sequence[Operation], state: ProjectState, known: Tables
) -> tuple[list[tuple[Operation, str]], ProjectState]:
    """Find each operation that removes something that is ``known`` to older code.

    Returns the state after the operations, too: Django takes as long to work it out again.
    """
    found = []
    before = _tables(state)
    for operation in operations:
        after = state.clone()
        operation.state_forwards(migration.app_label, after)
        tables = _tables(after)
        if isinstance(operation, SeparateDatabaseAndState):
            # Only its database operations change the database.
            found += _dangers(migration, operation.database_operations, state, known)[0]
        else:
            if _is_opaque(operation) and not getattr(migration, MARK, False):
                found.append((operation, OPAQUE))
            found += [(operation, sentence) for sentence in _losses(before, tables, known)]
        state, before = after, tables
    return found, state


def _is_opaque(operation: Operation) -> bool:
    """Return True when the effect of an operation can be found only by reading its code."""
    if isinstance(operation, RunPython):
        return operation.code is not RunPython.noop
    if isinstance(operation, RunSQL):
        return operation.sql != RunSQL.noop
    return not type(operation).__module__.startswith("django.")


def _tables(state: ProjectState) -> Tables:
    return {
        model._meta.db_table: {
            str(field.column): _column(field) for field in model._meta.local_concrete_fields
        }
        for model in state.apps.get_models(include_auto_created=True)
        if model._meta.app_label in APPS and model._meta.managed and not model._meta.proxy
    }


def _column(field: "models.Field[object, object]") -> Column:
    digits = None
    if isinstance(field, models.DecimalField) and field.max_digits is not None:
        places = field.decimal_places or 0
        digits = (field.max_digits - places, places)
    return Column(
        kind=(field.db_type(connection) or "").partition("(")[0],
        null=field.null,
        filled=field.generated or field.has_db_default(),
        length=field.max_length,
        digits=digits,
    )


def _losses(before: Tables, after: Tables, known: Tables) -> Iterator[str]:
    for table in sorted(before.keys() & known.keys()):
        if table not in after:
            yield f"The table {table} is gone afterwards, and older code reads and writes it."
            continue
        for name, new in after[table].items():
            old = before[table].get(name)
            if name in known[table] and old is not None:
                yield from _narrowed(f"{table}.{name}", old, new)
            elif new.demands and not (old is not None and old.demands):
                yield (
                    f"The column {table}.{name} has to be filled and has no default in the "
                    "database, and older code inserts rows without it."
                )
        for name in sorted((before[table].keys() & known[table].keys()) - after[table].keys()):
            yield (
                f"The column {table}.{name} is gone afterwards, and older code reads and writes it."
            )


def _narrowed(name: str, before: Column, after: Column) -> Iterator[str]:
    if before.kind != after.kind:
        yield (
            f"The column {name} becomes {after.kind}, and older code reads and writes "
            f"{before.kind}."
        )
        return
    if before.null and not after.null:
        # A default in the database would not help: older code writes NULL by name.
        yield f"The column {name} is never empty afterwards, and older code may write NULL."
    if after.length is not None and (before.length is None or after.length < before.length):
        yield (
            f"The column {name} holds {after.length} characters afterwards, and older code may "
            "write more."
        )
    if (
        before.digits is not None
        and after.digits is not None
        and any(new < old for old, new in zip(before.digits, after.digits, strict=True))
    ):
        yield f"The column {name} holds fewer digits afterwards, and older code may write more."
