"""Hard case 3: an execution's timeout shorter than a callback's: no code of ours would run.

Refused by a system check when the demo and the sweep start, and when a policy is published;
what slipped through is expired by the reconciler.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.checks import Error
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from functions.local.engine import LocalEngine
from functions.local.function import Function
from lending.errors import InvalidPolicy
from lending.proposals import publication_propose
from lending.services import longest_wait
from reviews.models import ReviewTask
from tests import casework
from tests.casework import submit
from tests.lending.publishing import copy_in_force
from tests.waiting import eventually
from workflows import engine
from workflows.checks import timeouts_nest
from workflows.models import Execution, OutboxMessage, PendingCallback
from workflows.reconcile.compare import reconcile

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 3  # that an execution lives here


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalEngine]:
    """The product's own function, in an engine that lets it live for a few seconds."""
    from functions import fraud_check, loan_approval  # noqa: PLC0415 - after Django is ready

    with LocalEngine(
        functions={
            "loan-approval": Function(
                loan_approval.handler, durable=True, execution_timeout_seconds=SECONDS
            ),
            "fraud-check": Function(fraud_check.handler),
        },
        data=tmp_path,
    ) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", running.url)
        engine.forget_client()
        yield running
        engine.forget_client()


def test_check_refuses_and_says_how_to_mend_it() -> None:
    assert timeouts_nest(databases=["default"]) == []
    casework.change_policies(approval_expires=timedelta(days=40))
    [found] = timeouts_nest(databases=["default"])
    assert isinstance(found, Error)
    assert "an execution ends after 60 days" in found.msg
    assert "LOAN_APPROVAL_EXECUTION_TIMEOUT" in str(found.hint)


def test_sweep_does_not_start_while_waits_do_not_fit() -> None:
    casework.change_policies(approval_expires=timedelta(days=40))
    with pytest.raises(SystemCheckError, match="E001"):
        call_command("sweep")
    with pytest.raises(SystemCheckError, match="E001"):
        call_command("check", databases=["default"])


@pytest.mark.parametrize("field", ["approval_expires", "fraud_check_timeout"])
def test_policy_that_could_outlive_its_execution_is_not_published(
    make_user: object, field: str
) -> None:
    owner: User = make_user("owner", Role.POLICY_OWNER)
    draft = copy_in_force(**{field: timedelta(days=40)})
    assert longest_wait(draft) > timedelta(days=60)
    with pytest.raises(InvalidPolicy, match="an execution ends after 60"):
        publication_propose(policy=draft, user=owner)
    draft.refresh_from_db()
    assert draft.published_at is None


def test_what_slipped_through_is_expired_by_the_reconciler(
    short_lived: LocalEngine, officer: User
) -> None:
    application = submit(officer)
    eventually(lambda: PendingCallback.objects.filter(name="manager_approval").exists())
    arn = Execution.objects.get().arn
    assert arn is not None
    eventually(lambda: engine.get(arn=arn)["Status"] == "TIMED_OUT")
    application.refresh_from_db()
    assert application.status == "pending_approval"  # nobody told the record

    ReviewTask.objects.update(expires_at=timezone.now())
    report = reconcile(calls_per_second=1000)

    assert [finding.what for finding in report.findings] == ["missed end"]
    application.refresh_from_db()
    assert (application.status, application.waiting_on) == ("expired", "")
    assert ReviewTask.objects.get().status == "expired"
    assert PendingCallback.objects.get().status == "expired"
    assert Execution.objects.get().status == "TIMED_OUT"
    notice = OutboxMessage.objects.get(key=f"closed/{application.reference}-1")
    assert notice.payload == {"application": application.reference}
    assert reconcile(calls_per_second=1000).findings == []
    assert LoanApplication.objects.get().status == "expired"
