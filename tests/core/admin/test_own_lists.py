"""Saved filters and chosen columns: whose they are, what they may hold, and what they cost."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role
from applications.admin.filters import ByOutcome
from applications.models import LoanApplication
from audit.models import Action, AuditEntry
from core import own_lists
from core.admin.own_lists import OwnListAdmin
from core.models import OwnList
from core.own_lists import LONGEST_NAME, MOST_FILTERS, SavedFilter
from partners.models import Partner
from reviews.models import ReviewTask
from tests.applications.admin.conftest import LIST, Login, login, said
from tests.permissions import permit
from tests.sent_forms import AGAIN, browser, open_form
from workflows.models import Incident

pytestmark = pytest.mark.django_db
__all__ = ["login"]

PENDING = "status__exact=pending_approval"


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    """Somebody who may see every list."""
    return make_user("root", *Role, is_superuser=True)


def page_of(model: type[Any] = LoanApplication) -> str:
    return reverse("admin:lists", args=[model._meta.app_label, model._meta.model_name])


def list_of(model: type[Any]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def save(client: Client, query: str, name: str = "Pending", **more: str) -> Any:
    typed = {"do": "save", "query": query, "name": name, **more}
    return client.post(page_of(), typed)


def kept(user: User, model: type[Any] = LoanApplication) -> list[SavedFilter]:
    row = own_lists.own_list_of(user=user, label=model._meta.label_lower)
    return own_lists.filters_of(row)


def links(answer: Any) -> list[str]:
    """The saved filters above a list, the current one in brackets."""
    html = answer.content.decode()
    bar = html.partition('<nav aria-label="Saved filters">')[2].partition("</nav>")[0]
    found = re.findall(r'<a href="[^"]*"( aria-current="true")?>([^<]*)</a>', bar)
    return [f"[{name}]" if current else name for current, name in found]


def headings(answer: Any) -> list[str]:
    return [name for name in answer.context["cl"].list_display if name != "action_checkbox"]


# --- Saved filters ----------------------------------------------------------------------------


def test_filter_is_saved_with_its_order_and_shown_as_a_link_that_leads_to_it(
    login: Login, manager: User
) -> None:
    client = login(manager)
    listed = client.get(f"{LIST}?{PENDING}&o=3")
    assert 'id="press-save-filter"' in listed.content.decode()
    assert 'id="press-save-filter"' not in client.get(LIST).content.decode()
    assert links(listed) == []

    answer = save(client, f"?{PENDING}&o=3&p=1", "  Pending   now ")

    assert said(answer) == ["The filter is saved. Its name is above the list."]
    assert answer.url == f"{LIST}?{PENDING}&o=3"
    assert kept(manager) == [SavedFilter("Pending now", PENDING, ("amount",))]
    shown = client.get(answer.url)
    assert links(shown) == ["Everything", "[Pending now]"]
    assert 'id="press-save-filter"' not in shown.content.decode()
    assert links(client.get(LIST)) == ["[Everything]", "Pending now"]
    entry = AuditEntry.objects.get(message="Saved a filter of a list, for themselves.")
    assert (entry.action, entry.actor) == (Action.CHANGED, manager)
    assert entry.details == {"list": "applications.loanapplication"}


def test_filter_is_its_persons_alone_and_goes_with_them(
    login: Login, manager: User, senior: User, make_user: Callable[..., User]
) -> None:
    save(login(manager), PENDING)
    other = login(senior)

    assert links(other.get(LIST)) == []
    assert "Pending" not in other.get(page_of()).content.decode().partition("own-filters")[2]
    other.post(page_of(), {"do": "filters", "was": "Pending", "name": "Taken", "delete": "Pending"})
    assert [each.name for each in kept(manager)] == ["Pending"]

    gone = make_user("gone", Role.MANAGER)
    OwnList.objects.create(user=gone, label="workflows.incident", columns={"": ["why"]})
    assert OwnList.objects.count() == 2
    gone.delete()
    assert [row.user for row in OwnList.objects.all()] == [manager]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("applicant_name__startswith=A", "does not offer all of it"),
        (f"{PENDING}&sin_last4__regex=[", "does not offer all of it"),
        (f"{PENDING}&o=1", "does not offer all of it"),
        ("status__exact[]=x&\0=1", "does not offer all of it"),
        ("q=Alice", "The search term is not saved: it may name a person."),
        ("p=2", "The list is not filtered or sorted."),
        ("", "The list is not filtered or sorted."),
    ],
)
def test_nothing_but_what_the_list_offers_is_saved(
    login: Login, manager: User, query: str, why: str
) -> None:
    answer = save(login(manager), query)

    assert why in said(answer)[-1]
    assert not OwnList.objects.exists()


def test_search_term_is_saved_only_where_it_names_no_person(login: Login, root: User) -> None:
    client = login(root)

    answer = save(client, f"{PENDING}&q=Alice")
    assert said(answer)[-1] == "The search term is not saved: it may name a person."
    client.post(page_of(Partner), {"do": "save", "query": "q=Maple", "name": "Maple"})

    assert [each.query for each in kept(root)] == [PENDING]
    assert [each.query for each in kept(root, Partner)] == ["q=Maple"]
    assert "Alice" not in str(list(OwnList.objects.values()))
    searching = {model for model, each in ADMINS.items() if each.keeps_search}
    assert {model._meta.model_name for model in searching} == {
        "execution",
        "partner",
        "webhookdelivery",
    }


ADMINS: dict[type[Any], Any] = {
    model: each
    for model, each in admin.site._registry.items()
    if isinstance(each, OwnListAdmin) and each.is_list
}


def test_name_is_needed_short_and_given_once_and_there_are_not_too_many(
    login: Login, manager: User
) -> None:
    client = login(manager)
    assert said(save(client, PENDING, "  "))[-1] == "Enter a name for the filter."
    longer = save(client, PENDING, "x" * (LONGEST_NAME + 1))
    assert said(longer)[-1] == "A name has at most 40 characters."
    for number in range(MOST_FILTERS):
        save(client, PENDING, f"Number {number}")
    assert "at most 20 saved filters" in said(save(client, PENDING, "One more"))[-1]

    save(client, "status__exact=approved", "NUMBER 3")

    assert len(kept(manager)) == MOST_FILTERS
    assert kept(manager)[3] == SavedFilter("NUMBER 3", "status__exact=approved")


def test_saved_filters_are_renamed_deleted_and_one_opens_the_list(
    login: Login, manager: User
) -> None:
    client = login(manager)
    for name, query in (("A", PENDING), ("B", "status__exact=approved"), ("C", "past=7")):
        save(client, query, name)
    shown = client.get(page_of()).content.decode()
    assert all(f'name="was" value="{name}"' in shown for name in "ABC")
    change = {"do": "filters", "was": ["A", "B", "C"], "opens": "B", "delete": "C"}

    client.post(page_of(), {**change, "name": ["Ours", "Approved", "C"]})

    assert kept(manager) == [
        SavedFilter("Ours", PENDING),
        SavedFilter("Approved", "status__exact=approved", opens=True),
    ]
    opened = client.get(LIST)
    assert (opened.status_code, opened.url) == (302, "?status__exact=approved")
    everything = client.get(f"{LIST}?o=")
    assert everything.status_code == 200
    assert links(everything) == ["[Everything]", "Ours", "Approved"]
    # "All" of the filter by status leads to the whole list, and not to the default again.
    filtered = client.get(f"{LIST}?{PENDING}").content.decode()
    assert '<a href="?o=">All</a>' in filtered
    same = {**change, "was": ["Ours", "Approved"], "delete": "", "name": ["approved", "Approved"]}
    assert "cannot have the same name" in said(client.post(page_of(), same))[-1]
    # Another that opens the list takes the place of the first.
    save(client, PENDING, "Ours", opens="yes")
    assert [each.opens for each in kept(manager)] == [True, False]
    client.post(page_of(), {"do": "filters", "delete": ["Ours", "Approved"]})
    assert not OwnList.objects.exists()
    assert client.get(LIST).status_code == 200


def test_filter_that_the_list_no_longer_offers_is_named_in_a_sentence(
    login: Login, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = login(manager)
    save(client, f"outcome=approve&{PENDING}", "Approved ones")
    model_admin = ADMINS[LoanApplication]
    fewer = [each for each in model_admin.list_filter if each is not ByOutcome]
    monkeypatch.setattr(model_admin, "list_filter", fewer)

    answer = client.get(f"{LIST}?outcome=approve&{PENDING}")

    found = [str(message) for message in answer.context["messages"]]
    assert any(
        "The saved filter “Approved ones” holds something that this list does not offer any more."
        in sentence
        for sentence in found
    )
    assert "outcome" not in answer.context["cl"].get_query_string()


def test_form_sent_again_saves_nothing_new_and_needs_its_token(manager: User) -> None:
    client = browser(manager)
    typed = open_form(client, f"{LIST}?{PENDING}", {"do": "save", "query": PENDING, "name": "Once"})
    assert client.post(page_of(), {**typed, "csrfmiddlewaretoken": ""}).status_code == 403
    client.post(page_of(), typed)
    entries = AuditEntry.objects.count()

    again = client.post(page_of(), typed)

    assert AGAIN in said(again)
    assert AuditEntry.objects.count() == entries
    assert len(kept(manager)) == 1


def test_page_is_for_those_who_see_the_list(login: Login, make_user: Callable[..., User]) -> None:
    nobody = make_user("nobody")
    client = login(nobody)
    assert client.get(page_of()).status_code == 403
    assert save(client, PENDING).status_code == 403
    permit(nobody, "view_loanapplication")
    assert client.get(page_of()).status_code == 200
    assert client.post(page_of(), {"do": "harm"}).status_code == 404
    for where in ("auth/user", "applications/nothing", "no/thing", "workflows/sweeprun"):
        assert client.get(f"/admin/lists/{where}/").status_code == 404
    assert not OwnList.objects.exists()


# --- Columns ----------------------------------------------------------------------------------


def test_columns_are_chosen_ordered_and_remembered_and_the_first_stays(
    login: Login, manager: User, senior: User
) -> None:
    client = login(manager)
    before = headings(client.get(LIST))
    save(client, f"{PENDING}&o=3")
    page = client.get(page_of()).content.decode()
    assert "Reference, always first" in page
    assert 'name="show" value="reference"' not in page

    answer = client.post(
        page_of(),
        {
            "do": "columns",
            "show": ["created", "amount", "status_shown", "sin_last4"],
            "place-amount": "3",
            "place-created": "1",
            "place-status_shown": "2",
        },
    )

    assert answer.url == LIST
    shown = client.get(LIST)
    assert headings(shown) == ["reference", "created", "status_shown", "amount"]
    assert headings(login(senior).get(LIST)) == before
    # The saved filter is still sorted by the amount, which is another column by its number.
    assert f'<a href="?{PENDING}&amp;o=4">Pending</a>' in shown.content.decode()
    assert links(client.get(f"{LIST}?{PENDING}&o=4")) == ["Everything", "[Pending]"]

    client.post(page_of(), {"do": "reset"})
    assert headings(client.get(LIST)) == before


def test_columns_that_are_no_longer_offered_are_left_out(login: Login, manager: User) -> None:
    own_lists.columns_choose(
        user=manager,
        label="applications.loanapplication",
        variant="",
        columns=["reference", "gone", "amount", "amount", "applicant_search"],
    )

    assert headings(login(manager).get(LIST)) == ["reference", "amount"]


def test_work_list_and_list_of_tasks_have_columns_of_their_own(login: Login, manager: User) -> None:
    client = login(manager)
    tasks = list_of(ReviewTask)
    whole = headings(client.get(tasks))

    client.post(f"{page_of(ReviewTask)}?mine=yes", {"do": "columns", "show": ["why", "amount"]})

    assert headings(client.get(f"{tasks}?mine=yes")) == ["application_named", "amount", "why"]
    assert headings(client.get(tasks)) == whole


def test_each_list_is_shown_with_two_columns_and_offers_its_page(login: Login, root: User) -> None:
    client = login(root)
    assert len(ADMINS) == 19
    for model, model_admin in ADMINS.items():
        offered = [str(name) for name in model_admin.list_display]
        chosen = offered[-1:] if len(offered) > 1 else []
        client.post(page_of(model), {"do": "columns", "show": chosen})

        answer = client.get(list_of(model))

        assert answer.status_code == 200, model
        assert headings(answer) == [offered[0], *chosen], model
        assert page_of(model) in answer.content.decode(), model


# --- What it costs ----------------------------------------------------------------------------


def statements(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return len(asked)


def test_list_costs_one_statement_more_and_none_for_who_keeps_nothing(
    login: Login, manager: User, auditor: User
) -> None:
    client = login(manager)
    plain = statements(client, f"{LIST}?{PENDING}")
    for number in range(5):
        save(client, PENDING, f"Number {number}")
    client.post(page_of(), {"do": "columns", "show": ["amount", "created"]})

    assert statements(client, f"{LIST}?{PENDING}") == plain + 1
    with CaptureQueriesContext(connection) as asked:
        login(auditor).get(list_of(Incident))
    assert not [
        each
        for each in asked
        if 'FROM "core_ownlist"' in each["sql"].partition("WHERE")[0]
        and each["sql"].startswith('SELECT "core_ownlist"')
    ]
