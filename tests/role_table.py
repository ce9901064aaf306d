"""Try as each role what can be done here, and write the tables of ``docs/roles.md`` from it.

The pages come from the registered admins, the changes from the scenarios of
``tests.audit.scenarios``, which has one for each address that changes anything, the calls of the
API from its views, and the proposals from their kinds. A change counts when the audit log has it
as done by this person.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, override

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import get_resolver

from accounts.proposal_kinds import KINDS, ProposalKind, holds
from accounts.roles import Role
from applications.models import LoanApplication
from audit.models import AuditEntry
from partners.api.errors import NotAllowedHere
from partners.api.permissions import Access, MayUse
from reviews.kinds import REVIEW_KINDS, ReviewKind
from tests.applications.admin.conftest import decide_page
from tests.audit.scenarios.office import Office
from tests.audit.scenarios.table import CHANGES, Change
from tests.reviews.test_kinds import opened

type MakeDesk = Callable[[type[Desk], str], Desk]
type Rows = dict[str, dict[str, str]]  # label of the row -> person -> what stands in the cell

DOCUMENT = Path(settings.BASE_DIR) / "docs" / "roles.md"
SUPERUSER = "Superuser"
PEOPLE = (*(role.value for role in Role), SUPERUSER)
PARTNER = "Partner key"
YES = "yes"
TRIED = 3  # every third change is tried where the page is compared with a sample
# What everybody does with their own account.
OWN_ACCOUNT = (
    "account:",
    "admin:login",
    "admin:logout",
    "admin:notifications",
    "admin:password_change",
)
# Who decides proposals depends on their kind, of which there is a table.
PROPOSALS = "admin:accounts_proposal_"
ADMIN = "admin:"
INTRODUCTION = """# What each role may do

Written by `make roles`: each change is tried as a person with one role, and counts when the audit
log has it as done by them. A test fails while this page differs. *Superuser* is a superuser without
a role: the flag gives what administers, and roles give the rest
([decision 23](decisions/0023-let-superusers-administer-and-roles-decide.md)). Whether a person may
do something to one particular application depends on more: ceilings, four eyes, claims, delegation.
Everybody signs in and out, and looks after their own password and second factor.
"""


def person_make(make_user: Callable[..., User], name: str, username: str) -> User:
    """Make somebody with this role, or a superuser without any."""
    if name == SUPERUSER:
        return make_user(username, is_superuser=True)
    return make_user(username, next(role for role in Role if role.value == name))


# --- Changes ------------------------------------------------------------------------------


@dataclass
class Desk(Office):
    """An office in which whoever acts has one role, whatever the scenario asks for."""

    name: str = ""
    made: list[User] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)  # the answers to the questions of ``AskingDesk``

    @override
    def client(
        self,
        *roles: Role,
        root: bool = False,
        user: User | None = None,
    ) -> Client:
        if user is None:
            user = person_make(self.make_user, self.name, f"actor{len(self.made)}")
            self.made.append(user)
        return super().client(user=user)


class AskingDesk(Desk):
    """A desk whose browser opens the page that asks, instead of sending its form.

    For what looks into the database beside the transaction, where nothing is undone.
    """

    def client(self, *roles: Role, root: bool = False, user: User | None = None) -> Client:
        client = super().client(*roles, root=root, user=user)

        def ask(path: str, *_: Any, **__: Any) -> Any:
            answer = client.get(path)
            self.asked.append(answer.status_code)
            return answer

        client.post = ask
        return client


def is_done(change: Change, desk: Desk) -> bool:
    """Try a change and undo it; true when the log has it as done by the person at the desk."""
    before = AuditEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    undo = (
        transaction.savepoint_create()
    )  # no ``atomic``, which a service may refuse to be inside of
    try:
        change.cause(desk)
        made = AuditEntry.objects.filter(id__gt=before, action=change.action)
        return made.filter(actor__in=desk.made).exists() or desk.asked == [200]
    except (Exception, pytest.fail.Exception):  # noqa: BLE001
        # A step of it was refused. Should a scenario break for another reason, nobody does the
        # change any more, and the test of the table says so.
        return False
    finally:
        transaction.set_rollback(False)
        transaction.savepoint_rollback(undo)


def staff_changes() -> dict[str, Change]:
    """The changes on pages of the admin, by the name of the address."""
    return {
        name: change
        for name, change in CHANGES.items()
        if name.startswith(ADMIN) and not name.startswith((*OWN_ACCOUNT, PROPOSALS))
    }


def decision(row: ReviewKind) -> Callable[[Office], None]:
    """A decision about a task of this kind, which the actor has not worked on."""

    def cause(office: Office) -> None:
        application = opened(row, office.officer()).application
        client = office.client()
        client.post(decide_page(application, "approve"), {"version": application.version})

    return cause


def label_of(name: str) -> str:
    """The words of an address: ``Partner keys: revoke``; ``Every page: search`` of no model."""
    if "_" not in name:
        return f"Every page: {name.removeprefix(ADMIN)}"
    app, model_name, view = name.removeprefix(ADMIN).split("_", 2)
    (model,) = (
        model
        for model in admin.site._registry
        if (model._meta.app_label, model._meta.model_name) == (app, model_name)
    )
    what = "an action on selected rows" if view == "changelist" else view.replace("_", " ")
    return f"{title_of(model)}: {what.replace('-', ' ')}"


def changes_by(make_desk: MakeDesk, written: Rows | None) -> Rows:
    """The changes and who makes them; decisions for each kind of review.

    With rows that were ``written`` before, two people try every third change, and the other cells
    are taken from there.
    """
    changes = {label_of(name): change for name, change in staff_changes().items()}
    decide = changes.pop(label_of(f"{ADMIN}applications_loanapplication_decide"))
    for kind, row in REVIEW_KINDS.items():
        label = f"{title_of(LoanApplication)}: decide, {kind.label.lower()}"
        changes[label] = replace(decide, cause=decision(row))
    rows: Rows = {}
    for number, (label, change) in enumerate(changes.items()):
        row = rows[label] = dict((written or {}).get(label, {}))
        for person in PEOPLE if written is None else sample(row, number):
            desk = make_desk(AskingDesk if change.beside else Desk, person)
            row[person] = YES if is_done(change, desk) else ""
    return rows


def sample(row: Mapping[str, str], number: int) -> list[str]:
    """Return somebody who may, by a row of the page, and somebody who may not; others by number.

    Nobody for most changes: every ``TRIED``-th is tried.
    """
    if number % TRIED:
        return []
    groups = (
        [person for person in PEOPLE if row.get(person)],
        [person for person in PEOPLE if not row.get(person)],
    )
    return [group[number % len(group)] for group in groups if group]


# --- Pages --------------------------------------------------------------------------------


def title_of(model: Any) -> str:
    title = str(model._meta.verbose_name_plural)
    return title[:1].upper() + title[1:]


def pages_of(people: Mapping[str, User]) -> Rows:
    """The registered admins: what Django's own pages of each allow."""
    rows: Rows = {}
    for model, model_admin in admin.site._registry.items():
        row = rows[title_of(model)] = {}
        for person, user in people.items():
            request = request_of(user)
            verbs = [
                verb
                for verb in ("view", "add", "change", "delete")
                if getattr(model_admin, f"has_{verb}_permission")(request)
            ]
            row[person] = ", ".join(verbs)
    return rows


def list_actions_of(people: Mapping[str, User]) -> Rows:
    """The actions that the lists offer for selected rows."""
    rows: Rows = {}
    for model, model_admin in admin.site._registry.items():
        for person, user in people.items():
            for name in model_admin.get_actions(request_of(user)):
                row = rows.setdefault(f"{title_of(model)}: {name.replace('_', ' ')}", {})
                row[person] = YES
    return rows


def request_of(user: User) -> Any:
    request: Any = RequestFactory().get("/admin/")
    request.user = user
    return request


# --- The API ------------------------------------------------------------------------------


def api_calls() -> Iterator[tuple[str, Access]]:
    """Method and path of every call of the API, with the rights that it needs."""
    for path, view in views(get_resolver().url_patterns):
        for method, access in getattr(getattr(view, "cls", None), "access", {}).items():
            yield f"{method} {path}", access


def views(patterns: Iterable[Any], prefix: str = "/") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from views(pattern.url_patterns, path)
        else:
            yield path, pattern.callback


def calls_by(people: Mapping[str, User]) -> Rows:
    return {
        f"`{call}`": {person: YES for person, user in people.items() if may_call(user, access)}
        | ({PARTNER: f"`{access.scope}`"} if access.scope else {})
        for call, access in api_calls()
    }


def may_call(user: User, access: Access) -> bool:
    try:
        MayUse._check_staff(user, access)
    except NotAllowedHere:
        return False
    return True


# --- Proposals ----------------------------------------------------------------------------


def proposals_by(people: Mapping[str, User]) -> Rows:
    """The kinds of proposals; those that tests add are left out."""
    return {
        kind.label: {
            person: ", ".join(
                verb
                for verb, rights in (("propose", kind.propose), ("confirm", kind.confirm))
                if holds(user, rights)
            )
            for person, user in people.items()
        }
        for kind in KINDS.values()
        if not is_of_tests(kind)
    }


def is_of_tests(kind: ProposalKind) -> bool:
    return kind.perform.__module__.startswith("tests.")


# --- The document -------------------------------------------------------------------------


def tables() -> dict[str, Rows]:
    """The tables of the page as it is, by their heading."""
    found: dict[str, Rows] = {}
    columns: list[str] = []
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            rows = found[line.removeprefix("## ")] = {}
        elif line.startswith("|"):
            label, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            if not label:
                columns = cells
            elif label != "---":
                rows[label] = dict(zip(columns, cells, strict=True))
    return found


def document(
    make_desk: MakeDesk, people: Mapping[str, User], *, written: Rows | None = None
) -> str:
    """The whole page; with the changes ``written`` before, a sample of them is tried."""
    tables = {
        "Pages": ("What Django's own pages allow.", pages_of(people), PEOPLE),
        "Actions in lists": ("Offered for selected rows.", list_actions_of(people), PEOPLE),
        "Changes": ("Tried on the pages of the admin.", changes_by(make_desk, written), PEOPLE),
        "Proposals": (
            "Nobody confirms their own, nor one about themselves.",
            proposals_by(people),
            PEOPLE,
        ),
        "API": (
            "By the session of a member of staff, or by a partner key with a scope.",
            calls_by(people),
            (*PEOPLE, PARTNER),
        ),
    }
    parts = [INTRODUCTION]
    for title, (sentence, rows, columns) in tables.items():
        parts += [f"## {title}\n\n{sentence}\n", table(rows, columns)]
    return "\n".join(parts)


def table(rows: Rows, columns: tuple[str, ...]) -> str:
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [
        [label, *(row.get(name, "") for name in columns)] for label, row in sorted(rows.items())
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
