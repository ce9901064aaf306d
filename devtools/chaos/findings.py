"""Findings of the invariants of a chaos run."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    LOST = "lost"
    DOUBLED = "doubled"
    STUCK = "stuck"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """``subject``: a reference where there is one."""

    fault: Fault
    subject: str
    why: str


def grouped[T, K](things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Group things by a key, in their order."""
    groups: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups
