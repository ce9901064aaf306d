"""Case 20: no order of answers over any number of tries pays past a flag.

Answers of several tries come in while the steps of the workflow carry the application on.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from applications.choices import Status
from applications.models import Disbursement, LoanApplication
from reviews.choices import TaskStatus
from tests import casework
from tests.casework import submit
from tests.hard_cases.fraud_flags import APPROVE, SMALL, receive, review_flag
from tests.sizes import size
from workflows.models import Incident, PendingCallback
from workflows.steps import fraud, offer, payout
from workflows.steps.checked import Missing


@dataclass
class Course:
    """One application, carried by the steps of the workflow while answers of its tries come in.

    ``go_on`` does what the durable handler does next; ``answer`` is the fraud check, at any time.
    """

    application: LoanApplication
    analyst: User
    tries: list[PendingCallback] = field(default_factory=list)
    stage: str = "ask"
    number: int = 1

    @classmethod
    def begin(cls, officer: User, analyst: User) -> "Course":
        application = submit(officer, **SMALL)
        casework.assess(application)
        return cls(application, analyst)

    def answer(self, number: int, verdict: str) -> None:
        """Answer one of the tries that were asked so far, as often and as late as it likes."""
        if self.tries:
            callback = self.tries[number % len(self.tries)]
            receive(callback, {"result": verdict})

    def go_on(self) -> None:
        """Run the next step of the workflow."""
        self.application.refresh_from_db()
        if self.application.status in {Status.FUNDED, Status.DECLINED}:
            return
        attempt, self.number = casework.run_of(self.application), self.number + 1
        match self.stage:
            case "ask":
                self._ask(len(self.tries) + 1)
            case "wait":
                last = PendingCallback.objects.get(pk=self.tries[-1].pk)
                if last.answer is None:
                    self.stage = "ask"  # it timed out
                else:
                    self.stage = "offer"
            case "offer":
                missing = offer.offer_begin(attempt, operation=f"generating_offer-{self.number}")
                if missing is None:
                    casework.make_offer(attempt)
                    self.stage = "pay"
                else:
                    self._resolve(missing)
            case "pay":
                order = payout.disbursement_request(attempt, operation=f"disbursing-{self.number}")
                if isinstance(order, Missing):
                    self._resolve(order)
                else:
                    payout.disbursement_settle(attempt, rail_reference="RAIL-1")

    def _ask(self, number: int) -> None:
        attempt = casework.run_of(self.application)
        opened = fraud.fraud_check_open(
            attempt,
            callback_id=f"{attempt.name}/fraud_check-{number}",
            number=number,
            until=self.application.created_at + timedelta(hours=1),
        )
        if isinstance(opened, fraud.Answered):  # on record, and not delivered in time
            self.stage = "offer"
            return
        name = f"fraud_check-{number}"
        self.tries.append(PendingCallback.objects.get(execution__name=attempt.name, name=name))
        self.stage = "wait"

    def _resolve(self, missing: Missing) -> None:
        if "fraud_check" in missing.missing:
            self.stage = "ask"
        elif "fraud_review" in missing.missing:
            review_flag(self.application, self.analyst, APPROVE)

    def assert_nobody_paid_past_a_flag(self) -> None:
        flags = PendingCallback.objects.filter(
            execution__application=self.application, flagged_at__isnull=False
        )
        told = set(Incident.objects.values_list("key", flat=True))
        for flag in flags:
            task = flag.flag_review
            cleared = task is not None and (task.status, task.outcome) == (
                TaskStatus.DECIDED,
                APPROVE,
            )
            requested = Disbursement.objects.filter(application=self.application).exists()
            assert cleared or not requested or f"flagged/{flag.pk}" in told, flag


moves = st.lists(
    st.one_of(
        st.just(("go on", 0, "")),
        st.just(("go on", 0, "")),
        st.tuples(st.just("answer"), st.integers(0, 3), st.sampled_from(["passed", "flagged"])),
    ),
    max_size=16,
)
EXAMPLES = size(short=15, long=150, variable="FLAG_EXAMPLES")


@pytest.mark.long
@pytest.mark.django_db
def test_no_order_of_answers_over_any_number_of_tries_pays_past_a_flag(
    officer: User, analyst: User
) -> None:
    ends: set[tuple[str, bool]] = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(moves)
    def search(sequence: list[tuple[str, int, str]]) -> None:
        course = Course.begin(officer, analyst)
        for move, number, verdict in sequence:
            if move == "go on":
                course.go_on()
            else:
                course.answer(number, verdict)
            course.assert_nobody_paid_past_a_flag()
        for _ in range(8):  # an answer for the last try, and on to the end
            course.answer(len(course.tries) - 1, "passed")
            course.go_on()
            course.assert_nobody_paid_past_a_flag()
        course.application.refresh_from_db()
        assert course.application.status == Status.FUNDED
        flagged = PendingCallback.objects.filter(
            execution__application=course.application, flagged_at__isnull=False
        )
        ends.add((course.application.status, flagged.exists()))

    search()

    # The search met applications with and without a flag.
    assert ends == {("funded", True), ("funded", False)}
