"""Check whether the database can be migrated while executions are suspended.

An execution resumes on the version that it started on: old code on the migrated database. The
check reads from the engine which versions still have unfinished executions, and from the
pending migrations what they remove. Both must be readable before a migration is called safe.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workflows import engine
from workflows.deploy_check.migration_safety import Danger, dangers_pending
from workflows.engine import Listed

NAMES = 10  # executions of one version that are listed by name


@dataclass
class Version:
    """A version of the durable function, with its unfinished executions."""

    number: str
    executions: int = 0
    oldest_start: datetime | None = None
    names: list[str] = field(default_factory=list)  # the oldest ones

    @property
    def unnamed(self) -> int:
        return self.executions - len(self.names)


@dataclass(frozen=True)
class Drain:
    """The result of the check. ``versions`` are all that have unfinished executions."""

    versions: tuple[Version, ...]
    in_the_way: tuple[Version, ...]  # those whose code may need what the migrations remove
    dangers: tuple[Danger, ...]

    @property
    def refused(self) -> bool:
        return bool(self.in_the_way and self.dangers)


def drain_check(*, safe_from: int | None = None) -> Drain:
    """Check unfinished executions and pending migrations.

    Raises ``EngineError``, ``DatabaseError``. ``safe_from``: the first version whose code
    does not use what the pending migrations remove; executions on it and on later versions do
    not block.
    """
    versions = versions_unfinished(engine.executions(statuses=engine.UNFINISHED, oldest_first=True))
    return Drain(
        versions=versions,
        in_the_way=tuple(v for v in versions if not _is_safe(v.number, safe_from)),
        dangers=tuple(dangers_pending()),
    )


def versions_unfinished(executions: Iterable[Listed]) -> tuple[Version, ...]:
    """Group executions by version, oldest version first; the executions come oldest first."""
    found: dict[str, Version] = {}
    for execution in executions:
        version = found.setdefault(execution.version, Version(execution.version))
        version.executions += 1
        if version.oldest_start is None:
            version.oldest_start = execution.started_at.astimezone(UTC)
        if len(version.names) < NAMES:
            version.names.append(execution.name)
    return tuple(sorted(found.values(), key=_by_age))


def _by_age(version: Version) -> tuple[bool, int, str]:
    numbered = version.number.isdecimal()
    return (not numbered, int(version.number) if numbered else 0, version.number)


def _is_safe(number: str, safe_from: int | None) -> bool:
    return safe_from is not None and number.isdecimal() and int(number) >= safe_from
