"""Puts an application where a test needs it, through the services that really do that."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from accounts.roles import Role
from applications.choices import Bureau
from applications.models import LoanApplication, LoanOffer
from applications.services import intake
from applications.services.attempts import Attempt
from lending.models import LendingPolicy
from lending.underwriting import Report
from reviews.choices import MailMode, TaskKind, TaskStatus
from reviews.models import MailChoice, ReviewTask
from tests import append_only
from workflows import executions as workflow_executions
from workflows.callbacks import pending
from workflows.models import Execution, OutboxMessage, PendingCallback
from workflows.providers.simulated import SCORES
from workflows.steps import credit, fraud, offer, payout, review, risk, validation

ALICE: dict[str, Any] = {
    "applicant_name": "Alice Johnson",
    "address": "123 Maple Street, Ottawa",
    "phone": "613-555-0101",
    "email": "alice@example.com",
    "sin_last4": "1111",
    "annual_income": Decimal("85000.00"),
    "loan_amount": Decimal("150000.00"),
    "currency": "CAD",
}
# The profiles whose reports are those of the simulated bureaus; of others each says 700.
PROFILES = ("1111", "3333", "4444")
HOUR = timedelta(hours=1)

# For tests that change what the database protects, as its owner could.
triggers_lifted = append_only.lifted


def staff(username: str, *roles: Role, is_superuser: bool = False) -> User:
    """A member of staff in these roles, whose password is "demo"."""
    address = f"{username}@example.com"
    user = User.objects.create_user(
        username, address, "demo", is_staff=True, is_superuser=is_superuser
    )
    groups = Group.objects.filter(name__in=[role.value for role in roles])
    if ReviewTask.objects.filter(status=TaskStatus.OPEN).exists():
        user.groups.set(groups)
    else:  # nothing to look again at: save the receivers' queries, thousands of times
        through = User.groups.through.objects
        through.bulk_create(User.groups.through(user=user, group=group) for group in groups)
    return user


def letters_at_once() -> None:
    """Let everybody get each letter at once, so that a test sees it without a digest."""
    MailChoice.objects.bulk_create(
        MailChoice(user=user, mode=MailMode.AT_ONCE) for user in User.objects.all()
    )


def submit(user: User | None, **fields: Any) -> LoanApplication:
    """Create and submit; ``fields`` override Alice's."""
    return intake.application_create_and_submit(user=user, **{**ALICE, **fields})


def change_policies(**fields: Any) -> None:
    """Change the fields of every policy, which nothing in the product does once it is published."""
    with triggers_lifted():
        LendingPolicy.objects.update(**fields)


def arn_of(name: str) -> str:
    """The ARN of an execution that no engine has, as an engine would write it."""
    function = "arn:aws:lambda:us-west-2:123456789012:function:loan-approval:1"
    return f"{function}/durable-execution/{name}/test"


def run_of(application: LoanApplication) -> Attempt:
    return Attempt(reference=application.reference, number=application.attempt)


def assess(application: LoanApplication) -> None:
    """Validate, pull the reports and judge, as the workflow's first steps do."""
    run = run_of(application)
    workflow_executions.execution_running(run, arn=arn_of(run.name))
    validation.validation_record(run)
    sin = application.sin_last4
    for bureau in Bureau:
        score = SCORES[bureau][sin] if sin in PROFILES else 700
        credit.credit_report_record(
            run, bureau=bureau, report=Report(score, 0), bureau_reference="R"
        )
    risk.risk_record(run)


@transaction.atomic
def ask(application: LoanApplication, kind: TaskKind = TaskKind.MANAGER_APPROVAL) -> ReviewTask:
    """Open a review with its callback, as the workflow does when it goes to sleep."""
    run = run_of(application)
    assert review.review_open(run, kind, callback_id=run.key(kind)) is True
    application.refresh_from_db()
    callback = PendingCallback.objects.select_related("review_task").get(callback_id=run.key(kind))
    assert callback.review_task is not None
    callback.callback_id = f"callback-{callback.review_task.pk}"
    callback.save(update_fields=["callback_id"])
    return callback.review_task


@transaction.atomic
def ask_fraud_check(
    application: LoanApplication, *, number: int = 1, callback_id: str = "", lasts: timedelta = HOUR
) -> PendingCallback:
    """Wait for the fraud check, which nobody asks; the callback id is its operation by default."""
    run = run_of(application)
    callback_id = callback_id or f"{run.name}/fraud_check-{number}"
    until = timezone.now() + lasts
    assert fraud.fraud_check_open(run, callback_id=callback_id, number=number, until=until) is True
    return PendingCallback.objects.get(callback_id=callback_id)


def pass_fraud_check(application: LoanApplication, verdict: str = "passed") -> None:
    """Ask the fraud check, which answers that the application passed, or what else is given."""
    callback = ask_fraud_check(application)
    pending.callback_receive(callback_id=callback.callback_id, answer={"result": verdict})


def waiting_for_manager(user: User | None, **fields: Any) -> LoanApplication:
    """An application that is pending approval; its task is ``review_tasks.get()``."""
    application = submit(user, **fields)
    assess(application)
    ask(application)
    assert application.waiting_until is not None
    assert application.waiting_until > timezone.now()
    return application


@transaction.atomic
def many_submitted(user: User | None, count: int, **fields: Any) -> list[LoanApplication]:
    """As ``submit``, ``count`` of them; all but the first have no rows but their own."""
    first = submit(user, **fields)
    others = [_copy(first, reference=intake.reference_make()) for _ in range(1, count)]
    return [first, *LoanApplication.objects.bulk_create(others)]


@transaction.atomic
def many_waiting_for_manager(user: User | None, count: int, **fields: Any) -> list[LoanApplication]:
    """As ``waiting_for_manager``, ``count`` of them by primary key, and quickly.

    One is made by the services; the others are copies of every row that they wrote,
    under names and keys of their own.
    """
    first = waiting_for_manager(user, **fields)
    task, execution = first.review_tasks.get(), first.executions.get()
    callback = PendingCallback.objects.get(execution=execution)
    more = range(1, count)
    cases = [_copy(first, reference=intake.reference_make()) for _ in more]
    LoanApplication.objects.bulk_create(cases)
    for rows in (first.events, first.credit_reports, first.risk_assessments):
        rows.model.objects.bulk_create(
            _copy(row, application=case, **_keyed(row, first, case))
            for case in cases
            for row in rows.all()
        )
    tasks = ReviewTask.objects.bulk_create(_copy(task, application=case) for case in cases)
    executions = Execution.objects.bulk_create(
        _copy(
            execution,
            application=case,
            name=run_of(case).name,
            arn=arn_of(run_of(case).name),
        )
        for case in cases
    )
    PendingCallback.objects.bulk_create(
        _copy(callback, execution=of, review_task=asked, callback_id=f"callback-{asked.pk}")
        for of, asked in zip(executions, tasks, strict=True)
    )
    starts = OutboxMessage.objects.filter(execution=execution)
    letters = OutboxMessage.objects.filter(kind=OutboxMessage.Kind.EMAIL, key=f"task/{task.pk}")
    OutboxMessage.objects.bulk_create(
        _copy(
            start,
            execution=of,
            key=f"start/{of.name}",
            payload=start.payload | {"application": case.reference},
        )
        for case, of in zip(cases, executions, strict=True)
        for start in starts
    )
    OutboxMessage.objects.bulk_create(
        _copy(letter, key=f"task/{asked.pk}", payload={"task": asked.pk})
        for asked in tasks
        for letter in letters
    )
    return [first, *cases]


def _copy[M: Model](row: M, **changes: Any) -> M:
    """A row like this one that is not stored yet."""
    kept = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    del kept["id"]
    for name in changes:
        kept.pop(row._meta.get_field(name).attname, None)
    return type(row)(**kept, **changes)


def _keyed(row: Model, first: LoanApplication, case: LoanApplication) -> dict[str, str]:
    key: str | None = getattr(row, "key", None)
    return {} if key is None else {"key": key.replace(first.reference, case.reference)}


def make_offer(attempt: Attempt) -> LoanOffer:
    """Make the offer of an attempt on this thread's connection, as ``generate_offer`` does."""
    planned = offer.offer_plan(attempt)
    if isinstance(planned, LoanOffer):
        return planned
    return offer.offer_record(attempt, planned, offer.letter_store(attempt, planned))


def offered(user: User | None = None, **fields: Any) -> LoanApplication:
    """Charlie's application, approved by the policy alone: an offer is made, nothing is paid."""
    application = submit(user, **{"sin_last4": "3333", "loan_amount": Decimal(25000), **fields})
    assess(application)
    pass_fraud_check(application)
    assert offer.offer_begin(run_of(application)) is None
    make_offer(run_of(application))
    application.refresh_from_db()
    return application


def disbursing(user: User | None = None, **fields: Any) -> LoanApplication:
    """As ``offered``, and the rail is about to be asked to pay."""
    application = offered(user, **fields)
    order = payout.disbursement_request(run_of(application))
    assert isinstance(order, payout.PayoutOrder)
    application.refresh_from_db()
    return application


def funded(user: User | None = None, **fields: Any) -> LoanApplication:
    """As ``disbursing``, and the rail paid."""
    application = disbursing(user, **fields)
    payout.disbursement_settle(run_of(application), rail_reference="RAIL-1")
    application.refresh_from_db()
    return application
