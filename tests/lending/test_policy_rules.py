"""Every field of a policy has bounds, and the whole is checked when it is drafted and published."""

import ast
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, models, transaction
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from lending.errors import InvalidPolicy
from lending.models import LendingPolicy, PolicyAuthority, PolicyTier
from lending.policy_words import days
from lending.services import policy_current, policy_problems, publish_check
from tests.applications.admin.test_other_pages import typed_from
from tests.lending.publishing import copy_in_force
from tests.sizes import some

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
# By field: values outside of its bounds, as they are typed. Of a row the value is typed into the
# first one: the manager's ceiling, prime.
OUTSIDE: dict[tuple[type[models.Model], str], tuple[str, ...]] = {
    (LendingPolicy, "version"): ("0", "-1", "1"),
    (LendingPolicy, "currency"): ("", "XXX", "cad", "CA"),
    (LendingPolicy, "approval_threshold"): ("-0.01", "500000.01", "250000.00", "10000000000"),
    (LendingPolicy, "second_approval_threshold"): ("-1", "99999.99", "10000000000"),
    (LendingPolicy, "default_term_months"): ("0", "5", "361", "-60", "40000"),
    (LendingPolicy, "smallest_loan"): ("0", "-500", "14.99", "25000.01"),
    (LendingPolicy, "smallest_instalment"): ("0", "-15", "500.01"),
    (LendingPolicy, "maximum_debt_to_income"): ("0", "-5", "100.01", "1000"),
    (LendingPolicy, "approval_due"): ("0", "-1 00:00:00", "00:00:00.5", "8 00:00:00"),
    (LendingPolicy, "approval_expires"): ("0", "-7 00:00:00", "23:59:59", "40 00:00:00"),
    (LendingPolicy, "fraud_check_timeout"): ("0", "-00:05:00", "00:00:00.5", "999999999 00:00:00"),
    (LendingPolicy, "fraud_check_attempts"): ("0", "-3", "21", "32767"),
    (LendingPolicy, "offer_life"): ("0", "-14 00:00:00", "00:00:00.5", "60 00:00:00"),
    (PolicyTier, "tier"): ("", "gold", "near_prime"),
    (PolicyTier, "minimum_score"): ("-1", "901", "670", "669"),
    (PolicyTier, "annual_rate"): ("-0.01", "7.51", "35.01", "999.99"),
    (PolicyTier, "largest_amount"): ("-1", "249999.99", "499.99", "10000000000"),
    (PolicyAuthority, "role"): ("", "auditor", "senior_manager"),
    (PolicyAuthority, "ceiling"): ("-1", "0", "100000.00"),
}
# Fields of which every value is right, or that nobody types.
WITHOUT_BOUNDS: dict[tuple[type[models.Model], str], str] = {
    (LendingPolicy, "id"): "nobody types it",
    (LendingPolicy, "offer_acceptance_required"): "yes or no",
    (LendingPolicy, "notes"): "free text",
    (LendingPolicy, "created_at"): "nobody types it",
    (LendingPolicy, "published_at"): "nobody types it",
    (LendingPolicy, "published_by"): "nobody types it",
    (PolicyTier, "id"): "nobody types it",
    (PolicyTier, "policy"): "nobody types it",
    (PolicyTier, "requires_clean_record"): "yes or no; see the lowest tier",
    (PolicyAuthority, "id"): "nobody types it",
    (PolicyAuthority, "policy"): "nobody types it",
}
PREFIXES: dict[type[models.Model], str] = {
    LendingPolicy: "",
    PolicyTier: "tiers-0-",
    PolicyAuthority: "authorities-0-",
}
# What the second of two rows says of both.
OF_BOTH_ROWS = {(PolicyTier, "tier", "near_prime"), (PolicyAuthority, "role", "senior_manager")}
every_field = pytest.mark.parametrize(("model", "name"), OUTSIDE)
some_fields = pytest.mark.parametrize(("model", "name"), some(OUTSIDE, of=5))


@pytest.fixture
def session(make_user: Callable[..., User]) -> Client:
    client = Client()
    client.force_login(make_user("policy", Role.POLICY_OWNER))
    return client


@pytest.fixture
def draft() -> LendingPolicy:
    found = copy_in_force()
    found.refresh_from_db()
    return found


def test_every_field_has_a_case() -> None:
    fields = {
        (model, column.name)
        for model in (LendingPolicy, PolicyTier, PolicyAuthority)
        for column in model._meta.concrete_fields
    }
    assert fields == OUTSIDE.keys() | WITHOUT_BOUNDS.keys()
    assert not OUTSIDE.keys() & WITHOUT_BOUNDS.keys()


@pytest.mark.long
@some_fields
def test_form_of_the_draft_refuses_it_with_a_sentence_beside_the_field(
    session: Client, draft: LendingPolicy, model: type[models.Model], name: str
) -> None:
    change = reverse("admin:lending_lendingpolicy_change", args=[draft.pk])
    typed = typed_from(session.get(change))
    before = stored(draft)
    for value in OUTSIDE[model, name]:
        out = read(model, name, value)
        in_words = days(out) if isinstance(out, timedelta) else value
        answer = session.post(change, typed | {f"{PREFIXES[model]}{name}": in_words})

        assert answer.status_code == 200, f"{value} was saved"
        beside, elsewhere = sentences(answer)
        if (model, name, value) in OF_BOTH_ROWS:
            assert elsewhere == [f"Each {name} has one row."]
        else:
            # Of two fields that do not fit each other the sentence is beside one of them.
            assert beside, value
            assert all(is_sentence(said) for found in beside.values() for said in found)
            assert not elsewhere, value
        html = answer.content.decode()
        assert not any(constraint in html for constraint in constraints())
        assert "is violated" not in html
    assert stored(draft) == before


@pytest.mark.both_databases
@every_field
def test_publication_refuses_what_came_past_the_form(
    draft: LendingPolicy, model: type[models.Model], name: str
) -> None:
    """A draft that was imported, or written before the rule: the database or the check says no."""
    assert not policy_problems(draft)
    row = {
        LendingPolicy: draft,
        PolicyTier: draft.tiers.get(tier="prime"),
        PolicyAuthority: draft.authorities.get(role="manager"),
    }[model]
    for value in OUTSIDE[model, name]:
        try:
            with transaction.atomic():
                model._default_manager.filter(pk=row.pk).update(**{name: read(model, name, value)})
        except (DataError, IntegrityError, OverflowError):
            continue
        with pytest.raises(InvalidPolicy) as refused:
            publish_check(policy=LendingPolicy.objects.get(pk=draft.pk))
        found = refused.value.errors
        assert all(is_sentence(said) for sentences in found.values() for said in sentences)
        assert not any(constraint in str(refused.value) for constraint in constraints())


def read(model: type[models.Model], name: str, value: str) -> Any:
    column = model._meta.get_field(name)
    assert isinstance(column, models.Field)
    field = column.formfield()
    if field is None or column.choices:
        return value
    field.validators = []
    if isinstance(column, models.DecimalField):
        return Decimal(value)
    found = field.to_python(value)
    return value if found is None else found


def stored(draft: LendingPolicy) -> list[list[dict[str, Any]]]:
    rows = (LendingPolicy.objects.filter(pk=draft.pk), draft.tiers.all(), draft.authorities.all())
    return [list(found.values()) for found in rows]


def sentences(answer: Any) -> tuple[dict[str, list[str]], list[str]]:
    """Return the errors beside each field, by its HTML name, and those that are beside none."""
    form = answer.context["adminform"].form
    forms, elsewhere = [form], []
    for inline in answer.context["inline_admin_formsets"]:
        forms += inline.formset.forms
        elsewhere += list(inline.formset.non_form_errors())
    beside = {
        each.add_prefix(name): list(found)
        for each in forms
        for name, found in each.errors.items()
        if name != "__all__"
    }
    for each in forms:
        elsewhere += list(each.non_field_errors())
    return beside, elsewhere


def is_sentence(said: str) -> bool:
    return said[:1].isupper() and said.endswith(".")


def constraints() -> Iterator[str]:
    for model in (LendingPolicy, PolicyTier, PolicyAuthority):
        yield from (constraint.name for constraint in model._meta.constraints)


# --- The whole ---------------------------------------------------------------------------


def change_tier(draft: LendingPolicy, tier: str, **fields: Any) -> None:
    draft.tiers.filter(tier=tier).update(**fields)


def change_all(draft: LendingPolicy, **fields: dict[str, Any]) -> None:
    for tier, values in fields.items():
        change_tier(draft, tier, **values)


INVERTED = {"prime": {"minimum_score": 0}, "deep_subprime": {"minimum_score": 740}}
WHOLES: dict[str, tuple[dict[str, dict[str, Any]], str, str]] = {
    "inverted": (
        INVERTED,
        "near_prime: minimum_score",
        "The lowest score of Near-prime, 670, is not below the one of Prime, 0.",
    ),
    "same score": (
        {"near_prime": {"minimum_score": 740}},
        "near_prime: minimum_score",
        "The lowest score of Near-prime, 740, is not below the one of Prime, 740.",
    ),
    "rates": (
        {"subprime": {"annual_rate": Decimal("7.00")}},
        "subprime: annual_rate",
        "The rate of Subprime, 7.00 %, is below the one of Near-prime, 7.50 %.",
    ),
    "amounts": (
        {"deep_subprime": {"largest_amount": Decimal("25000.01")}},
        "deep_subprime: largest_amount",
        "The largest amount of Deep subprime, 25,000.01, is above the one of Subprime, 25,000.00.",
    ),
    "marks": (
        {"prime": {"requires_clean_record": False}, "subprime": {"requires_clean_record": True}},
        "subprime: requires_clean_record",
        "Subprime asks for a clean record, and Near-prime does not.",
    ),
    "unreachable": (
        {
            "near_prime": {"minimum_score": 300},
            "subprime": {"minimum_score": 200},
            "deep_subprime": {"minimum_score": 100},
        },
        "near_prime: minimum_score",
        "No score is below 300, so no tier after Near-prime would ever apply.",
    ),
    "someone in no tier": (
        {"deep_subprime": {"minimum_score": 301}},
        "deep_subprime: minimum_score",
        "Deep subprime is the last tier and takes every score: from 300 or less.",
    ),
    "marks in no tier": (
        {tier: {"requires_clean_record": True} for tier in ("near_prime", "subprime")}
        | {"deep_subprime": {"requires_clean_record": True}},
        "deep_subprime: requires_clean_record",
        "Deep subprime is the last tier and takes every record.",
    ),
    "nobody": (
        {tier: {"largest_amount": 0} for tier in ("prime", "near_prime", "subprime")},
        "prime: largest_amount",
        "No tier lends anything, so everybody would be declined.",
    ),
}


@pytest.mark.parametrize("case", WHOLES)
def test_tiers_are_in_the_order_of_quality(draft: LendingPolicy, case: str) -> None:
    """Inverted tiers were published, and approved a score of 310 at 11 %."""
    changes, key, sentence = WHOLES[case]
    change_all(draft, **changes)
    with pytest.raises(InvalidPolicy) as refused:
        publish_check(policy=draft)
    assert sentence in refused.value.errors[key]


@pytest.mark.long
@pytest.mark.parametrize("case", some(WHOLES, of=3))
def test_form_says_it_beside_the_tier(session: Client, draft: LendingPolicy, case: str) -> None:
    changes, key, sentence = WHOLES[case]
    change = reverse("admin:lending_lendingpolicy_change", args=[draft.pk])
    typed = typed_from(session.get(change))
    tiers = [row.tier for row in draft.tiers.all()]
    for tier, fields in changes.items():
        for name, value in fields.items():
            box = f"tiers-{tiers.index(tier)}-{name}"
            typed.pop(box, None)
            if value is not False:
                typed[box] = "on" if value is True else str(value)
    beside, _ = sentences(session.post(change, typed))
    tier, _, name = key.partition(": ")
    assert sentence in beside[f"tiers-{tiers.index(tier)}-{name}"]


@pytest.mark.parametrize("rows", ["tiers", "authorities"])
def test_form_names_the_row_that_is_missing(
    session: Client, draft: LendingPolicy, rows: str
) -> None:
    change = reverse("admin:lending_lendingpolicy_change", args=[draft.pk])
    typed = typed_from(session.get(change)) | {f"{rows}-0-DELETE": "on"}
    _, elsewhere = sentences(session.post(change, typed))
    missing = {"tiers": "every tier; missing: Prime.", "authorities": "role; missing: Manager."}
    assert missing[rows] in " ".join(elsewhere)


def test_policy_of_the_first_migration_breaks_no_rule() -> None:
    assert policy_problems(policy_current()) == {}


def test_every_constraint_of_a_policy_has_a_sentence() -> None:
    for model in (LendingPolicy, PolicyTier, PolicyAuthority):
        for constraint in model._meta.constraints:
            sentence = str(constraint.violation_error_message)
            assert is_sentence(sentence), constraint.name
            assert constraint.name not in sentence
            assert "violated" not in sentence


def test_every_inline_of_the_policy_is_checked() -> None:
    found = admin.site._registry[LendingPolicy]
    assert {inline.model for inline in found.inlines} == PREFIXES.keys() - {LendingPolicy}


def test_nothing_else_in_the_product_publishes_a_policy() -> None:
    """Only ``policy_publish`` writes ``published_at``, and it checks; no command does."""
    root = Path(__file__).parents[2]
    writers = set()
    for path in root.glob("*/**/*.py"):
        top = path.relative_to(root).parts[0]
        if top in {"tests", ".venv", "var"} or "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            written = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            named = isinstance(node, ast.keyword) and node.arg == "published_at"
            if (written and node.attr == "published_at") or named:
                writers.add(path.relative_to(root).as_posix())
    assert writers == {"lending/services.py"}
