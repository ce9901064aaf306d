"""Hard case 33: an offer was accepted, its payout refused, and the application restarted.

What was accepted is paid, or is offered again: never other terms without a new yes. A restart keeps
the policy version unless Operations choose the one in force.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts import proposals
from applications.choices import Bureau
from applications.models import Disbursement, LoanApplication, LoanOffer
from audit.models import AuditEntry
from lending.choices import Outcome
from lending.errors import UnusablePolicy
from lending.models import LendingPolicy
from lending.services import policy_current
from reviews.choices import TaskKind
from reviews.errors import DecisionExpired
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import page
from tests.lending.publishing import copy_in_force, publish
from tests.workflows import settling, trouble
from workflows import new_orders
from workflows import operations as ops
from workflows.executions import Closed
from workflows.models import Incident
from workflows.providers.simulated import SCORES
from workflows.steps import credit, offer, payout, review, risk, validation
from workflows.steps.checked import Missing

pytestmark = pytest.mark.django_db(transaction=True)

ACCEPTANCE = TaskKind.OFFER_ACCEPTANCE


@pytest.fixture
def accepting(transactional_db: None) -> None:
    """Version 1 asks the applicant."""
    casework.change_policies(offer_acceptance_required=True)


def carry(application: LoanApplication) -> LoanOffer:
    """Carry Charlie's application to its offer, as the workflow does."""
    application.refresh_from_db()
    run = casework.run_of(application)
    assert validation.validation_record(run).valid
    for bureau in Bureau:
        credit.pull_report(run, bureau)
    risk.risk_record(run)
    casework.pass_fraud_check(application)
    assert offer.offer_begin(run) is None
    casework.make_offer(run)
    return application.offers.get(attempt=run.number)


def submitted(officer: User) -> LoanApplication:
    return casework.submit(officer, sin_last4="3333", loan_amount=Decimal(25000))


def asked(application: LoanApplication) -> ReviewTask | None:
    """Ask the applicant, if they have to be asked."""
    run = casework.run_of(application)
    number = f"callback-{run.name}"
    if review.review_open(run, ACCEPTANCE, callback_id=number) is not True:
        return None
    return application.review_tasks.get(kind=ACCEPTANCE, attempt=run.number)


def accept(task: ReviewTask | None, user: User) -> None:
    assert task is not None
    decisions.task_decide(task=task, user=user, outcome=Outcome.APPROVE)


def refuse_payout(application: LoanApplication) -> None:
    """The rail says no, and Operations get the application."""
    run = casework.run_of(application)
    assert isinstance(payout.disbursement_request(run), payout.PayoutOrder)
    payout.disbursement_hold(run, status=Disbursement.Status.REFUSED)
    trouble.handed_over(application, kind=Incident.Kind.PAYOUT_REFUSED, sentence="No.")


def paid(application: LoanApplication, operation: str = payout.DISBURSING) -> Closed | Missing:
    return payout.disburse(casework.run_of(application), operation=operation)


@pytest.fixture
def refused(accepting: None, officer: User) -> LoanApplication:
    """Version 1: offered at 11 %, accepted, and the payout refused."""
    application = submitted(officer)
    first = carry(application)
    assert (first.annual_rate, first.acceptance_required) == (Decimal("11.00"), True)
    accept(asked(application), officer)
    refuse_payout(application)
    return application


def dearer(**changes: object) -> LendingPolicy:
    """Version 2 is in force: 12 % instead of 11 %, and nobody is asked about an offer."""
    draft = copy_in_force(**changes)
    draft.tiers.filter(tier="subprime").update(annual_rate="12.00")
    return publish(draft)


def scores_fell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bureau has a lower score now: the tier that is declined."""
    for scores in SCORES.values():
        monkeypatch.setitem(scores, "3333", 500)


def restart(application: LoanApplication, user: User, version: int | None = None) -> None:
    ops.application_restart(reference=application.reference, user=user, policy_version=version)
    application.refresh_from_db()


def order_anew(application: LoanApplication, user: User) -> None:
    proposal = new_orders.new_order_propose(
        reference=application.reference, user=user, note="The account is open."
    )
    proposals.proposal_confirm(proposal=proposal, user=settling.colleague())
    application.refresh_from_db()


Again = Callable[[LoanApplication, User], None]


@pytest.mark.parametrize("again", [restart, order_anew])
def test_accepted_offer_is_paid_as_accepted_whatever_changed_meanwhile(
    refused: LoanApplication,
    operations: User,
    officer: User,
    monkeypatch: pytest.MonkeyPatch,
    again: Again,
) -> None:
    """It was paid at 12 % under version 2, and nobody had said yes to that."""
    dearer()
    scores_fell(monkeypatch)
    first = refused.offers.get()

    again(refused, operations)
    second = carry(refused)

    assert refused.policy is not None
    assert refused.policy.version == 1
    assert second.terms == first.terms
    first.refresh_from_db()
    assert (second.accepted_at, second.accepted_in) == (first.accepted_at, 1)
    assert first.accepted_at is not None
    assert asked(refused) is None
    assert paid(refused) == Closed("funded")
    first_reports, second_reports = (
        list(refused.credit_reports.filter(attempt=number).values_list("score", "pulled_at"))
        for number in (1, 2)
    )
    assert first_reports == second_reports


def test_third_attempt_still_has_the_acceptance_of_the_first(
    refused: LoanApplication, operations: User
) -> None:
    restart(refused, operations)
    carry(refused)
    refuse_payout(refused)
    restart(refused, operations)
    assert carry(refused).accepted_in == 1
    assert asked(refused) is None
    assert paid(refused) == Closed("funded")


def test_current_policy_that_was_chosen_needs_a_new_yes(
    refused: LoanApplication, operations: User, officer: User
) -> None:
    newer = dearer()

    restart(refused, operations, newer.version)
    second = carry(refused)

    assert refused.policy == newer
    assert (second.annual_rate, second.acceptance_required) == (Decimal("12.00"), True)
    assert (second.accepted_at, second.accepted_in) == (None, None)
    missing = paid(refused)
    assert isinstance(missing, Missing)
    assert set(missing.missing) == {ACCEPTANCE}
    assert not Disbursement.objects.filter(status="paid").exists()
    accept(asked(refused), officer)
    assert paid(refused, "disbursing-2") == Closed("funded")
    entry = AuditEntry.objects.get(details__event="restarted")
    assert entry.actor == operations
    assert (entry.details["policy_before"], entry.details["policy"]) == (1, 2)
    assert "under policy version 2 in place of 1" in entry.message


def test_same_terms_under_a_chosen_policy_are_offered_again(
    refused: LoanApplication, operations: User
) -> None:
    newer = publish(copy_in_force(offer_acceptance_required=False))
    restart(refused, operations, newer.version)
    assert carry(refused).acceptance_required
    assert isinstance(paid(refused), Missing)
    assert ACCEPTANCE.value in validation.validation_record(casework.run_of(refused)).waits


def test_restart_without_a_choice_is_on_record_with_its_version(
    refused: LoanApplication, operations: User
) -> None:
    dearer()
    restart(refused, operations)
    entry = AuditEntry.objects.get(details__event="restarted")
    assert (entry.details["policy_before"], entry.details["policy"]) == (1, 1)
    assert entry.message == "Restarted as attempt 2."


def test_acceptance_that_came_too_late_is_none(
    accepting: None, officer: User, operations: User
) -> None:
    application = submitted(officer)
    carry(application)
    task = asked(application)
    assert task is not None
    ReviewTask.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert review.expired(casework.run_of(application), ACCEPTANCE)
    with pytest.raises(DecisionExpired):
        accept(task, officer)

    restart(application, operations)
    second = carry(application)

    assert (second.accepted_at, second.acceptance_required) == (None, True)
    assert isinstance(paid(application), Missing)


def test_offer_that_waited_for_its_answer_is_asked_again(
    accepting: None, officer: User, operations: User
) -> None:
    """Stopped by Operations; version 2 asks nobody."""
    application = submitted(officer)
    carry(application)
    asked(application)
    newer = publish(copy_in_force())
    operations_stop(application, operations)
    restart(application, operations, newer.version)
    assert carry(application).acceptance_required
    assert isinstance(paid(application), Missing)


def operations_stop(application: LoanApplication, user: User) -> None:
    ops.application_stop(reference=application.reference, user=user, reason="Wait.")


def test_offer_that_nobody_had_to_accept_holds_as_it_was_made(
    officer: User, operations: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = submitted(officer)
    first = carry(application)
    refuse_payout(application)
    scores_fell(monkeypatch)
    dearer()

    restart(application, operations)

    second = carry(application)
    assert second.terms == first.terms
    assert not second.acceptance_required
    assert paid(application) == Closed("funded")


def test_other_terms_than_those_of_the_letter_need_a_yes_though_no_policy_asks(
    officer: User, operations: User
) -> None:
    application = submitted(officer)
    carry(application)
    refuse_payout(application)
    restart(application, operations, dearer().version)
    assert carry(application).acceptance_required
    assert isinstance(paid(application), Missing)


def test_only_the_version_in_force_can_be_chosen(
    refused: LoanApplication, operations: User
) -> None:
    dearer()
    for version in (1, 3):
        with pytest.raises(UnusablePolicy, match="is not in force; 2 is"):
            restart(refused, operations, version)
    third = LendingPolicy.objects.get(version=2)
    rows = [*third.tiers.all(), *third.authorities.all()]
    third.pk, third.version, third.currency, third.published_at = None, 3, "USD", None
    third.save()
    for row in rows:
        row.pk, row.policy = None, third
        row.save()
    publish(third)
    with pytest.raises(UnusablePolicy, match="lends in USD"):
        restart(refused, operations, 3)
    refused.refresh_from_db()
    assert (refused.attempt, refused.status) == (1, "needs_attention")


# --- The form -----------------------------------------------------------------------------


@pytest.fixture
def session(operations: User) -> Client:
    client = Client()
    client.force_login(operations)
    return client


def test_form_says_which_version_is_used_and_offers_the_current_one(
    refused: LoanApplication, session: Client
) -> None:
    address = page("restart", refused)
    html = session.get(address).content.decode()
    assert "It keeps policy version 1, which is in force." in html
    assert 'name="policy"' not in html
    dearer()
    html = session.get(address).content.decode()
    assert "It keeps policy version 1 unless you choose the one in force." in html
    assert "Keep version 1, under which it was judged before" in html
    assert "Version 2, which is in force now" in html
    assert "the applicant has to accept the new offer" in html

    session.post(address, {"policy": "9", "reason": ""})
    refused.refresh_from_db()
    assert refused.attempt == 1
    session.post(address, {"policy": "2", "reason": "As they asked."})

    refused.refresh_from_db()
    assert (refused.attempt, refused.policy) == (2, policy_current())


def test_form_that_is_sent_without_a_choice_keeps_the_version(
    refused: LoanApplication, session: Client
) -> None:
    dearer()
    session.post(page("restart", refused), {"reason": ""})
    refused.refresh_from_db()
    assert refused.policy is not None
    assert (refused.attempt, refused.policy.version) == (2, 1)


def test_form_offers_no_version_in_another_currency(
    refused: LoanApplication, session: Client
) -> None:
    publish(copy_in_force(currency="USD"))
    html = session.get(page("restart", refused)).content.decode()
    assert "It keeps policy version 1: version 2, which is in force, lends in USD." in html
    assert 'name="policy"' not in html
