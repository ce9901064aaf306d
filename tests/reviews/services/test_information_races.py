"""A question, its answer and a decision at the same moment: by the locks one of them is first."""

from functools import partial

import pytest
from django.contrib.auth.models import User

from lending.choices import Outcome
from reviews import errors
from reviews.models import InformationRequest, ReviewDecision, ReviewTask
from reviews.services import decisions
from reviews.services.information import information_answer, information_ask
from tests.hard_cases.together import together
from tests.reviews.services.questions import ANSWER, QUESTION, status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_decision_stands_and_a_question_beside_it_is_refused_or_ends(
    task: ReviewTask, manager: User, other: User
) -> None:
    asked, decided = together(
        [
            partial(information_ask, task=task, user=manager, message=QUESTION),
            partial(decisions.task_decide, task=task, user=other, outcome=Outcome.APPROVE),
        ]
    )

    assert isinstance(decided, ReviewDecision)
    if isinstance(asked, InformationRequest):
        assert status(asked) == "cancelled"
    else:
        assert isinstance(asked, errors.AlreadyDecided)
        assert "already decided (approve) by manager2" in str(asked)
        assert not InformationRequest.objects.exists()


def test_decision_stands_and_an_answer_beside_it_is_kept_or_refused(
    asked: InformationRequest, officer: User, other: User
) -> None:
    answered, decided = together(
        [
            partial(information_answer, request=asked, user=officer, answer=ANSWER),
            partial(decisions.task_decide, task=asked.task, user=other, outcome=Outcome.APPROVE),
        ]
    )

    assert isinstance(decided, ReviewDecision)
    if isinstance(answered, InformationRequest):
        assert (status(asked), asked.answer) == ("answered", ANSWER)
    else:
        assert isinstance(answered, errors.QuestionCancelled)
        assert (status(asked), asked.answer) == ("cancelled", "")


def test_of_two_questions_and_of_two_answers_the_first_one_counts(
    task: ReviewTask, manager: User, other: User, officer: User, officer2: User
) -> None:
    questions = together(
        [
            partial(information_ask, task=task, user=user, message=QUESTION)
            for user in (manager, other)
        ]
    )
    assert sorted(type(each).__name__ for each in questions) == [
        "InformationRequest",
        "QuestionOpen",
    ]
    request = InformationRequest.objects.get()
    answers = together(
        [
            partial(information_answer, request=request, user=user, answer=user.username)
            for user in (officer, officer2)
        ]
    )
    assert sorted(type(each).__name__ for each in answers) == [
        "InformationRequest",
        "QuestionAnswered",
    ]
    request.refresh_from_db()
    assert request.answered_by is not None
    assert request.answer == request.answered_by.username
