"""Every list of the admin, with every field and lookup that a query string could name."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.views.main import IGNORED_PARAMS, ChangeList
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model
from django.http import HttpRequest, QueryDict
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.roles import Role
from audit.admin.declared_filters import LONGEST_SEARCH, MOST_VALUES, DeclaredFiltersAdmin
from core.admin.checks import problems_of
from lending.models import LendingPolicy
from partners.models import Partner
from tests.sizes import some

pytestmark = pytest.mark.django_db

EACH, SOME = (
    pytest.mark.parametrize("model_admin", admins, ids=lambda each: each.model._meta.label)
    for admins in (admin.site._registry.values(), some(admin.site._registry.values(), of=6))
)
DEPTH = 3  # a field of the row, and two relations on the way to others
# Values that no filter offers, or that no column can be compared with.
ODD = ("", "[", "(a+)+$", "x", "é", "-1", "9" * 30, "1e999", "NaN", "2024-13-45", "None", "true")


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    """Somebody who may see every list."""
    return make_user("root", *Role, is_superuser=True)


@pytest.fixture
def asked(root: User, rf: RequestFactory) -> Callable[..., HttpRequest]:
    """Make a request of ``root`` with a query string that may be longer than a browser sends."""

    def make(query: dict[str, list[str]] | None = None) -> HttpRequest:
        request = rf.get("/")
        request.user = root
        request.session = {}
        request._messages = FallbackStorage(request)
        given = QueryDict(mutable=True)
        for name, values in (query or {}).items():
            given.setlist(name, values)
        request.GET = given
        return request

    return make


def lookups_of(field: Any) -> Iterator[str]:
    yield ""
    for name, lookup in field.get_lookups().items():
        yield f"__{name}"
        if hasattr(lookup, "get_lookups"):  # a transform, such as the year of a date
            yield from (f"__{name}__{of}" for of in ("exact", "gte", "in"))


def parameters(model: type[Model], depth: int = DEPTH, prefix: str = "") -> Iterator[str]:
    """Yield every lookup on every field of a model and, over relations, of others."""
    for field in model._meta.get_fields(include_hidden=False):
        name = f"{prefix}{field.name}"
        if isinstance(field, Field):
            yield from (f"{name}{lookup}" for lookup in lookups_of(field))
            if field.attname != field.name:
                yield f"{prefix}{field.attname}"
        else:
            yield from (f"{name}{lookup}" for lookup in ("", "__isnull", "__in", "__exact"))
        if field.is_relation and field.related_model and depth > 1:
            yield f"{name}__pk"
            yield from parameters(field.related_model, depth - 1, f"{name}__")


def declared(model_admin: Any, request: HttpRequest) -> set[str]:
    """The parameters of the filters that the page offers or that other pages link to."""
    changelist = model_admin.get_changelist_instance(request)
    linked = {each.parameter_name for each in changelist.list_filter if isinstance(each, type)}
    return linked.union(*(spec.expected_parameters() for spec in changelist.filter_specs))


def said(request: HttpRequest) -> list[str]:
    return [str(message) for message in get_messages(request)]


def rows_asked_for(changelist: ChangeList) -> str:
    return str(changelist.queryset.query)


@pytest.mark.long
@SOME
def test_list_ignores_every_lookup_that_its_page_does_not_declare(
    model_admin: Any, asked: Callable[..., HttpRequest]
) -> None:
    offered = declared(model_admin, asked())
    every = [*dict.fromkeys(parameters(model_admin.model))]
    undeclared = [name for name in every if name not in offered and name not in IGNORED_PARAMS]
    assert len(undeclared) > 100
    plain = rows_asked_for(model_admin.get_changelist_instance(asked()))
    request = asked({name: ["["] for name in undeclared})

    changelist = model_admin.get_changelist_instance(request)

    assert rows_asked_for(changelist) == plain
    assert sorted(changelist.ignored) == sorted(undeclared)
    assert changelist.get_query_string() == "?"
    assert not request.GET
    [sentence] = said(request)
    assert sentence.endswith(f" and {len(undeclared) - 5} more.")


@EACH
def test_each_field_of_a_list_is_ignored_alone_as_well(
    model_admin: Any, asked: Callable[..., HttpRequest]
) -> None:
    offered = declared(model_admin, asked())
    plain = rows_asked_for(model_admin.get_changelist_instance(asked()))
    for field in model_admin.opts.concrete_fields:
        names = {f"{field.name}{lookup}" for lookup in lookups_of(field)} - offered
        request = asked({name: ["1"] for name in names})

        changelist = model_admin.get_changelist_instance(request)

        assert rows_asked_for(changelist) == plain, field
        assert set(changelist.ignored) == names
        assert said(request)


@pytest.mark.both_databases
@pytest.mark.long
@SOME
def test_declared_filter_takes_any_value_without_an_error(
    model_admin: Any, asked: Callable[..., HttpRequest]
) -> None:
    for name in declared(model_admin, asked()):
        for value in (*ODD, "\0"):
            request = asked({name: [value]})

            changelist = model_admin.get_changelist_instance(request)

            list(changelist.result_list)
            assert (name in changelist.get_query_string()) is (not said(request)), (name, value)
        many = asked({name: [str(number) for number in range(MOST_VALUES + 1)]})
        list(model_admin.get_changelist_instance(many).result_list)
        assert said(many)


@pytest.mark.both_databases
@pytest.mark.long
@SOME
def test_list_is_sorted_by_columns_that_offer_it_alone(
    model_admin: Any, asked: Callable[..., HttpRequest]
) -> None:
    plain = model_admin.get_changelist_instance(asked())
    shown = plain.list_display
    sortable = {
        place
        for place, name in enumerate(shown)
        if name in plain.sortable_by and plain.get_ordering_field(name)
    }
    for place in range(len(shown) + 2):
        for order in (f"{place}", f"-{place}"):
            request = asked({"o": [order]})
            changelist = model_admin.get_changelist_instance(request)
            list(changelist.result_list)
            if place not in sortable:
                assert rows_asked_for(changelist) == rows_asked_for(plain), order
                assert said(request)
                assert "o=" not in changelist.get_query_string()
            else:
                assert not said(request)
    for order in ("x", "-", "--1", "1-", "1.x", "9" * 5000, "٣", "99.-99", "\0"):
        request = asked({"o": [order]})
        list(model_admin.get_changelist_instance(request).result_list)
        assert said(request), order


@pytest.mark.both_databases
@EACH
def test_search_that_no_list_takes_is_ignored(
    model_admin: Any, asked: Callable[..., HttpRequest]
) -> None:
    for text in ("\0", "x" * (LONGEST_SEARCH + 1), "a " * LONGEST_SEARCH):
        request = asked({"q": [text]})

        changelist = model_admin.get_changelist_instance(request)

        assert changelist.query == ""
        assert said(request)
    longest = asked({"q": ["a " * (LONGEST_SEARCH // 2)]})
    list(model_admin.get_changelist_instance(longest).result_list)
    assert not said(longest)


@pytest.mark.parametrize("page", ["0", "-1", "4", "9" * 30])
def test_page_that_is_not_there_is_the_first(asked: Callable[..., HttpRequest], page: str) -> None:
    Partner.objects.bulk_create(Partner(name=f"Partner {number:03}") for number in range(110))
    request = asked({"p": [page], "e": ["1"]})

    changelist = admin.site.get_model_admin(Partner).get_changelist_instance(request)

    assert changelist.result_list[0] == Partner.objects.order_by("name").first()
    assert (changelist.page_num, changelist.multi_page) == (1, True)
    assert said(request)


@EACH
def test_rows_are_referred_to_by_their_primary_key_alone(
    model_admin: Any, asked: Callable[..., HttpRequest]
) -> None:
    own = model_admin.opts.pk.name
    for field in model_admin.opts.get_fields():
        request = asked({"_to_field": [field.name], "_popup": ["1"]})

        changelist = model_admin.get_changelist_instance(request)

        assert model_admin.to_field_allowed(request, field.name) is (field.name == own)
        assert changelist.to_field == (own if field.name == own else None)


@EACH
def test_page_of_each_list_says_what_it_ignored(
    model_admin: Any, root: User, client: Client
) -> None:
    client.force_login(root)
    opts = model_admin.opts
    address = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    names = [f"{field.name}__regex" for field in opts.concrete_fields][:4]

    response = client.get(address, {**dict.fromkeys(names, "["), "e": "1"})

    assert response.status_code == 200
    assert f"as the list does not offer it: {', '.join(sorted(names))}." in response.text
    assert "__regex=" not in response.text


def test_row_is_not_found_by_another_field_than_its_key(root: User, client: Client) -> None:
    client.force_login(root)
    there = reverse("admin:auth_group_change", args=[Role.MANAGER.value])
    group = Group.objects.get(name=Role.MANAGER.value)
    by_key = reverse("admin:auth_group_change", args=[group.pk])

    assert client.get(there, {"_to_field": "name"}).status_code == 302
    assert client.get(by_key, {"_to_field": "name"}).status_code == 200


def test_autocomplete_answers_nothing_that_no_form_declares(
    root: User, rf: RequestFactory, client: Client
) -> None:
    client.force_login(root)
    for model in admin.site._registry:
        for field in model._meta.get_fields():
            request = rf.get(
                "/",
                {
                    "app_label": model._meta.app_label,
                    "model_name": model._meta.model_name,
                    "field_name": field.name,
                    "term": "a",
                },
            )
            request.user = root
            with pytest.raises(PermissionDenied):
                admin.site.autocomplete_view(request)
    asks = {"app_label": "applications", "model_name": "document", "field_name": "application"}
    assert client.get(reverse("admin:autocomplete"), {**asks, "term": "a"}).status_code == 403


# --- The check ------------------------------------------------------------------------------


@EACH
def test_admin_has_the_base_class(model_admin: Any) -> None:
    assert problems_of(model_admin) == []


class Hierarchy(DeclaredFiltersAdmin[LendingPolicy]):
    date_hierarchy = "published_at"


class OtherChangeList(DeclaredFiltersAdmin[LendingPolicy]):
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ChangeList


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (admin.ModelAdmin, "core.E001"),
        (OtherChangeList, "core.E002"),
        (Hierarchy, "core.E003"),
    ],
)
def test_admin_that_lets_other_filters_through_is_an_error(kind: Any, problem: str) -> None:
    assert [found.id for found in problems_of(kind(LendingPolicy, admin.site))] == [problem]
