"""Every number column holds whatever its formula can give, and each stored number can be shown."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models
from django.test import Client
from django.urls import reverse

from applications.choices import AmountBand, Bureau
from applications.models import LoanApplication, RiskAssessment
from lending.amortisation import Schedule, TermsTooSmall, schedule
from lending.fields import StoredDecimalField
from lending.models import PolicyTier
from lending.underwriting import (
    HIGHEST_SCORE,
    LOWEST_SCORE,
    MOST_MARKS,
    SMALLEST_INCOME,
    Report,
    average_score,
    debt_to_income,
)
from partners.models import Partner
from tests import casework
from tests.applications.admin.conftest import Login, decide_page, page
from tests.applications.admin.test_form import TYPED as TYPED_FORM
from tests.partners.api.calls import Caller, assert_problem, path

PRODUCT = {path.parent.name for path in settings.BASE_DIR.glob("*/apps.py")}
# SQLite keeps a decimal as a double, of which 15 digits are right.
SQLITE_DIGITS = 15
INTEGERS = {  # PostgreSQL's; SQLite stores more
    "PositiveSmallIntegerField": 2**15 - 1,
    "SmallIntegerField": 2**15 - 1,
    "PositiveIntegerField": 2**31 - 1,
    "PositiveBigIntegerField": 2**63 - 1,
    "BigIntegerField": 2**63 - 1,
}


def largest_typed(model: type[models.Model], name: str) -> Decimal:
    """Return the largest number that a form or the API takes for a decimal column."""
    field = model._meta.get_field(name)
    assert isinstance(field, models.DecimalField)
    assert field.max_digits is not None
    assert field.decimal_places is not None
    return Decimal(10**field.max_digits - 1).scaleb(-field.decimal_places)


def limits(model: type[models.Model], name: str) -> tuple[int, int]:
    """Return the smallest and the largest number that the validators of a column let through."""
    validators = model._meta.get_field(name).validators
    (low,) = [v.limit_value for v in validators if type(v) is MinValueValidator and v.limit_value]
    (high,) = [v.limit_value for v in validators if type(v) is MaxValueValidator]
    return low, high


CENT = Decimal("0.01")
AMOUNT = largest_typed(LoanApplication, "loan_amount")
INCOME = largest_typed(LoanApplication, "annual_income")
RATE = largest_typed(PolicyTier, "annual_rate")
TERMS = limits(LoanApplication, "term_months")


def plans() -> Iterator[Schedule]:
    for principal, rate, months in product(
        (CENT, Decimal("500.00"), AMOUNT), (Decimal(0), CENT, Decimal(15), RATE), TERMS
    ):
        try:
            yield schedule(principal=principal, annual_rate=rate, term_months=months)
        except TermsTooSmall:
            continue


PLANS = list(plans())
LINES = [line for plan in PLANS for line in plan.lines]
RATIOS = [
    debt_to_income(loan_amount=amount, annual_income=income)
    for amount, income in product((CENT, AMOUNT), (SMALLEST_INCOME, INCOME))
]
MEANS = [average_score((Report(score, 0),)) for score in (LOWEST_SCORE, HIGHEST_SCORE)]
DIGITS_OF_STATUS = (0, 999)  # ``http.client`` takes three digits of a status, no more

# The columns whose numbers are computed: the extremes of what the formula gives.
DERIVED: dict[str, Callable[[], list[Any]]] = {
    "applications.CreditReport.derogatory_marks": lambda: [0, MOST_MARKS],
    "applications.CreditReport.score": lambda: [LOWEST_SCORE, HIGHEST_SCORE],
    "applications.Disbursement.amount": lambda: [CENT, AMOUNT],
    "applications.Instalment.balance": lambda: [line.balance for line in LINES],
    "applications.Instalment.interest": lambda: [line.interest for line in LINES],
    "applications.Instalment.number": lambda: [line.number for line in LINES],
    "applications.Instalment.payment": lambda: [line.payment for line in LINES],
    "applications.Instalment.principal": lambda: [line.principal for line in LINES],
    "applications.LoanApplication.amount_band": lambda: [
        AmountBand.of(CENT).value,
        AmountBand.of(AMOUNT).value,
    ],
    "applications.LoanOffer.annual_rate": lambda: [Decimal(0), RATE],
    "applications.LoanOffer.last_payment": lambda: [plan.last_payment for plan in PLANS],
    "applications.LoanOffer.monthly_payment": lambda: [plan.monthly_payment for plan in PLANS],
    "applications.LoanOffer.principal": lambda: [CENT, AMOUNT],
    "applications.LoanOffer.term_months": lambda: list(TERMS),
    "applications.LoanOffer.total_interest": lambda: [plan.total_interest for plan in PLANS],
    "applications.RiskAssessment.annual_rate": lambda: [Decimal(0), RATE],
    "applications.RiskAssessment.average_score": lambda: MEANS,
    "applications.RiskAssessment.score_count": lambda: [1, len(Bureau)],
    "applications.RiskAssessment.score_sum": lambda: [LOWEST_SCORE, HIGHEST_SCORE * len(Bureau)],
    "applications.RiskAssessment.debt_to_income": lambda: RATIOS,
    "applications.RiskAssessment.derogatory_marks": lambda: [0, MOST_MARKS * len(Bureau)],
    "partners.IdempotencyKey.response_status": lambda: [100, 599],
    "webhooks.WebhookAttempt.status_code": lambda: list(DIGITS_OF_STATUS),
    "webhooks.WebhookDelivery.last_status_code": lambda: list(DIGITS_OF_STATUS),
    "workflows.SimulatedPayout.amount": lambda: [CENT, AMOUNT],
}
# Somebody types them, or another system sends them: the door refuses what does not fit.
TYPED = {
    "applications.Document.size",
    "applications.LoanApplication.annual_income",
    "applications.LoanApplication.loan_amount",
    "applications.LoanApplication.term_months",
    "lending.LendingPolicy.approval_threshold",
    "lending.LendingPolicy.default_term_months",
    "lending.LendingPolicy.fraud_check_attempts",
    "lending.LendingPolicy.maximum_debt_to_income",
    "lending.LendingPolicy.second_approval_threshold",
    "lending.LendingPolicy.smallest_instalment",
    "lending.LendingPolicy.smallest_loan",
    "lending.LendingPolicy.version",
    "lending.PolicyAuthority.ceiling",
    "lending.PolicyTier.annual_rate",
    "lending.PolicyTier.largest_amount",
    "lending.PolicyTier.minimum_score",
    "reviews.DeclineReason.position",
}
# They count what happens, one by one, or hold a time.
COUNTED = {
    "applications.CreditReport.attempt",
    "applications.Disbursement.orders",
    "applications.LoanApplication.attempt",
    "applications.LoanApplication.version",
    "applications.LoanOffer.accepted_in",
    "applications.LoanOffer.attempt",
    "applications.RiskAssessment.attempt",
    "audit.Seal.number",
    "audit.SealVerification.rows",
    "audit.SealVerification.seal",
    "audit.SealingState.copied",
    "partners.RateCounter.full_at",
    "reviews.BulkDecisionRow.version",
    "reviews.InformationRequest.number",
    "reviews.ReviewDecision.application_version",
    "reviews.ReviewTask.approvals_required",
    "reviews.ReviewTask.attempt",
    "reviews.ReviewTask.number",
    "webhooks.WebhookAttempt.took_ms",
    "webhooks.WebhookDelivery.attempts",
    "webhooks.WebhookDelivery.round",
    "workflows.Execution.attempt",
    "workflows.OutboxMessage.attempts",
    "workflows.SimulatedPayout.requests",
    "workflows.SweepRun.incidents_open",
    "workflows.SweepRun.outbox_oldest_seconds",
    "workflows.SweepRun.outbox_pending",
    "workflows.SweepRun.tasks_overdue",
}


def number_columns() -> dict[str, Any]:
    """Return every number column of the product's models that is no key, by its name."""
    return {
        f"{model._meta.app_label}.{model.__name__}.{field.name}": field
        for model in apps.get_models()
        if model.__module__.partition(".")[0] in PRODUCT and not model._meta.proxy
        for field in model._meta.concrete_fields
        if isinstance(field, models.DecimalField | models.IntegerField) and not field.primary_key
    }


def test_every_number_column_is_typed_counted_or_computed() -> None:
    columns = set(number_columns())
    known = TYPED | COUNTED | set(DERIVED)
    assert columns - known == set(), "say in this module what the largest number of these is"
    assert known - columns == set(), "these columns are gone"
    assert len(known) == len(TYPED) + len(COUNTED) + len(DERIVED)


def test_every_decimal_column_can_be_read_whatever_is_stored() -> None:
    decimals = {
        name: field
        for name, field in number_columns().items()
        if isinstance(field, models.DecimalField)
    }
    assert {name for name, field in decimals.items() if type(field) is not StoredDecimalField} == (
        set()
    )
    for name, field in decimals.items():
        assert field.max_digits <= SQLITE_DIGITS, name


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_column_holds_the_extremes_of_its_formula(name: str) -> None:
    field = number_columns()[name]
    for number in DERIVED[name]():
        if isinstance(field, models.DecimalField):
            assert number == number.quantize(CENT), f"{number} has more than two decimals"
            digits = field.max_digits - field.decimal_places
            assert 0 <= number < 10**digits, f"{number} has more than {digits} digits"
        else:
            assert 0 <= number <= INTEGERS[field.get_internal_type()]


def test_extremes_are_those_of_the_longest_and_dearest_loan() -> None:
    """The table above is only as good as its corners: these are the figures they give."""
    assert max(RATIOS) == Decimal("599999999999.40")
    assert max(plan.total_interest for plan in PLANS) > 290 * AMOUNT
    assert max(plan.last_payment for plan in PLANS) > Decimal("1.8") * AMOUNT


# --- Legal inputs, absurd figures ---------------------------------------------------------


@pytest.fixture
def api(partner_key: str) -> Caller:
    return Caller(partner_key)


@pytest.fixture
def login() -> Login:
    def as_user(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return as_user


@pytest.fixture
def absurd(partner: Partner) -> LoanApplication:
    """An income of 1.00 and the largest amount, as far as a manager."""
    return casework.waiting_for_manager(
        None, partner=partner, annual_income=Decimal("1.00"), loan_amount=Decimal("240000.00")
    )


@pytest.mark.django_db
@pytest.mark.both_databases
def test_absurd_share_of_income_is_stored_and_read_by_list_page_and_api(
    absurd: LoanApplication, api: Caller, login: Login, manager: User
) -> None:
    """Fourteen times what fitted: SQLite could not read it, PostgreSQL could not write it."""
    assert RiskAssessment.objects.get().debt_to_income == Decimal("14400000.00")
    assert api.get().json()["results"][0]["reference"] == absurd.reference
    assert api.get(path(absurd.reference)).status_code == 200
    client = login(manager)
    for address in (
        reverse("admin:applications_loanapplication_changelist"),
        page("change", absurd),
        decide_page(absurd, "approve"),
    ):
        assert client.get(address).status_code == 200, address


@pytest.mark.django_db
@pytest.mark.both_databases
def test_income_of_one_dollar_and_twenty_thousand_is_assessed_and_offered(officer: User) -> None:
    application = casework.offered(
        officer, annual_income=Decimal("1.00"), loan_amount=Decimal("20000.00")
    )
    assert application.status == "approved"
    assert RiskAssessment.objects.get().debt_to_income == Decimal("1200000.00")


@pytest.mark.django_db
@pytest.mark.both_databases
@pytest.mark.parametrize("name", sorted(DERIVED))
def test_extremes_come_back_from_the_database_as_they_were_stored(
    absurd: LoanApplication, name: str
) -> None:
    """Each decimal column, read back through its own type."""
    field = number_columns()[name]
    if not isinstance(field, models.DecimalField):
        pytest.skip("integers are exact")
    for number in (min(DERIVED[name]()), max(DERIVED[name]())):
        row = RiskAssessment.objects.annotate(
            number=models.ExpressionWrapper(models.Value(number, field), output_field=field)
        ).get()
        assert row.number == number


@pytest.mark.django_db
@pytest.mark.both_databases
def test_number_wider_than_its_column_is_shown_and_takes_no_list_down(
    absurd: LoanApplication, api: Caller, login: Login, manager: User
) -> None:
    """As another program could write it on SQLite, whose columns have no width."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL refuses it")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE applications_riskassessment SET debt_to_income = 1e17")
        cursor.execute("UPDATE applications_loanapplication SET annual_income = 5e15")
    assert RiskAssessment.objects.get().debt_to_income == Decimal(10**17)
    assert [each["reference"] for each in api.get().json()["results"]] == [absurd.reference]
    client = login(manager)
    for address in (
        reverse("admin:applications_loanapplication_changelist"),
        page("change", absurd),
    ):
        assert client.get(address).status_code == 200, address


@pytest.mark.django_db
@pytest.mark.parametrize("income", ["0.01", "0.5", "0.99"])
def test_income_below_one_is_refused_at_the_door_with_a_sentence(
    api: Caller, login: Login, officer: User, income: str
) -> None:
    problem = assert_problem(api.submit(annual_income=income), 400, "invalid-application")
    assert problem["errors"] == {"annual_income": ["Enter a yearly income of at least 1.00."]}
    typed = {**TYPED_FORM, "annual_income": income, "_submit": "yes"}
    answer = login(officer).post(reverse("admin:applications_loanapplication_add"), typed)
    assert "Enter a yearly income of at least 1.00." in answer.content.decode()
    assert not LoanApplication.objects.exists()
