"""Keep how a person wants a list of the admin: its columns, and filters under names.

A row is private to its person, is deleted with them, and is deleted when it holds nothing. The
audit log says that something was changed, not the names that a person chose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from django.contrib.auth.models import User
from django.db import transaction

from audit.models import Action
from audit.services import entry_record
from core.errors import InvalidFields
from core.locking import locked
from core.models import OwnList

MOST_FILTERS = 20  # of one list and person
LONGEST_NAME = 40  # characters
LONGEST_QUERY = 1_000  # characters
MOST_COLUMNS = 50


@dataclass(frozen=True)
class SavedFilter:
    """The settings of a list's filters, as a query string, and the columns it is sorted by.

    ``order`` has names of columns, a minus before those in descending order: numbers would be of
    other columns once a person chooses others. One that ``opens`` is what the list opens with.
    """

    name: str
    query: str
    order: tuple[str, ...] = ()
    opens: bool = False


def filters_of(row: OwnList) -> list[SavedFilter]:
    """Return the saved filters of a row, in the order in which they were first saved."""
    return [SavedFilter(**{**kept, "order": tuple(kept["order"])}) for kept in row.filters]


def own_list_of(*, user: User, label: str) -> OwnList:
    """Return what a person keeps of a list; a row that is not stored where that is nothing."""
    row = OwnList.objects.filter(user=user, label=label).first()
    return row or OwnList(user=user, label=label)


@transaction.atomic
def filter_save(*, user: User, label: str, saved: SavedFilter) -> None:
    """Save a filter under a name; one that has this name already is replaced.

    Raises ``InvalidFields`` for a name that is empty or too long, and for one filter too many.
    """
    named = replace(saved, name=_name(saved.name))
    if len(named.query) > LONGEST_QUERY:
        raise InvalidFields({"name": ["This filter has too many values to be saved."]})
    row = _locked(user, label)
    kept = filters_of(row)
    same = [at for at, each in enumerate(kept) if _is_same(each.name, named.name)]
    if same:
        kept[same[0]] = named
    else:
        kept.append(named)
    if len(kept) > MOST_FILTERS:
        raise InvalidFields(
            {"name": [f"A list has at most {MOST_FILTERS} saved filters: delete one first."]}
        )
    _write(row, user, "Saved a filter", filters=_only_one_opens(kept, named.name))


@transaction.atomic
def filters_change(
    *, user: User, label: str, names: Mapping[str, str], deleted: Sequence[str], opens: str
) -> None:
    """Rename filters (``names``: the name before and the one now), delete some, choose one to open.

    The list opens with the filter whose name before was ``opens``, or with none. Filters that are
    not there are ignored. Raises ``InvalidFields`` for a name that is empty, too long or not the
    only one.
    """
    row = _locked(user, label)
    kept = [
        replace(each, name=_name(names.get(each.name, each.name)), opens=each.name == opens)
        for each in filters_of(row)
        if each.name not in deleted
    ]
    if len({each.name.casefold() for each in kept}) < len(kept):
        raise InvalidFields({"name": ["Two saved filters cannot have the same name."]})
    _write(row, user, "Changed saved filters", filters=kept)


@transaction.atomic
def columns_choose(*, user: User, label: str, variant: str, columns: Sequence[str] | None) -> None:
    """Choose the columns of a list and their order; with ``None`` it has all again."""
    row = _locked(user, label)
    chosen = dict(row.columns)
    chosen.pop(variant, None)
    if columns is not None:
        chosen[variant] = list(columns)[:MOST_COLUMNS]
    row.columns = chosen
    _write(row, user, "Chose the columns", filters=filters_of(row))


def _locked(user: User, label: str) -> OwnList:
    OwnList.objects.get_or_create(user=user, label=label)
    return locked(OwnList.objects.filter(user=user, label=label)).get()


def _write(row: OwnList, user: User, what: str, *, filters: Sequence[SavedFilter]) -> None:
    row.filters = [asdict(each) for each in filters]
    if row.filters or row.columns:
        row.save(update_fields=["columns", "filters"])
    else:
        row.delete()
    entry_record(
        action=Action.CHANGED,
        message=f"{what} of a list, for themselves.",
        actor=user,
        details={"list": row.label},
    )


def _name(typed: str) -> str:
    name = " ".join(typed.split())
    if not name:
        raise InvalidFields({"name": ["Enter a name for the filter."]})
    if len(name) > LONGEST_NAME:
        raise InvalidFields({"name": [f"A name has at most {LONGEST_NAME} characters."]})
    return name


def _is_same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _only_one_opens(kept: Sequence[SavedFilter], name: str) -> list[SavedFilter]:
    """Let no other filter open the list where the one of this name does."""
    if not any(each.opens for each in kept if _is_same(each.name, name)):
        return list(kept)
    return [replace(each, opens=_is_same(each.name, name)) for each in kept]
