"""Several processes at once: failures are all counted, a code opens once, entries are all kept."""

from collections.abc import Callable
from functools import partial

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db.models import Sum
from django.test import Client

from accounts.errors import AccessChangedMeanwhile, InvitationOver, OnlySuperusers
from accounts.lockouts import HERE
from accounts.models import RecoveryCode, SecondFactor
from accounts.services.invitations import invitation_accept
from accounts.services.second_factor import code_check
from audit.models import Action, AuditEntry
from tests.accounts.access import give
from tests.accounts.conftest import Clock, code_of, sign_in
from tests.accounts.guests import Guest
from tests.hard_cases.together import together

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]
Enrol = Callable[[User], tuple[SecondFactor, list[str]]]


def test_failures_at_the_same_moment_are_all_counted_and_lock_out(manager: User) -> None:
    def fail() -> int:
        return int(sign_in(Client(), "manager", "wrong").status_code)

    answers = together([fail] * HERE)

    assert set(answers) <= {200, 429}
    assert AccessAttempt.objects.aggregate(all=Sum("failures_since_start")) == {"all": HERE}
    assert sign_in(Client(), "manager").status_code == 429


@pytest.mark.parametrize("flag", ["is_superuser", "is_active"])
def test_superusers_who_take_the_rights_of_each_other_leave_one(
    make_user: Callable[..., User], flag: str
) -> None:
    people = [make_user(f"root{number}", is_superuser=True) for number in range(3)]
    circle = zip(people, people[1:] + people[:1], strict=True)

    answers = together([partial(give, other, by, **{flag: False}) for by, other in circle])

    left = User.objects.filter(is_superuser=True, is_active=True).count()
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert left == 3 - (len(answers) - len(refused)) >= 1
    assert {type(error) for error in refused} <= {OnlySuperusers, AccessChangedMeanwhile}
    assert refused


def test_same_code_at_the_same_moment_opens_one_session(
    manager: User, enrol: Enrol, clock: Clock
) -> None:
    device, _ = enrol(manager)
    clock.go_on(seconds=30)
    code = code_of(device)

    answers = together([lambda: code_check(user=manager, code=code)] * 6)

    assert sum(answer == device for answer in answers) == 1
    shown = AuditEntry.objects.filter(message="Showed the second factor.")
    assert shown.count() == 1


def test_same_recovery_code_at_the_same_moment_opens_one_session(
    manager: User, enrol: Enrol
) -> None:
    device, codes = enrol(manager)

    answers = together([lambda: code_check(user=manager, code=codes[0])] * 6)

    assert sum(answer == device for answer in answers) == 1
    assert RecoveryCode.objects.filter(used_at__isnull=False).count() == 1
    assert AuditEntry.objects.filter(action=Action.SECOND_FACTOR).count() >= 3


def test_invitation_accepted_at_the_same_moment_is_accepted_once(guest: Guest) -> None:
    newcomer = User.objects.get(username="newcomer")
    pk, token, secret = guest.client.session["invitation"]
    passwords = [f"a long walk by the river {number}" for number in range(6)]

    def accept(password: str) -> list[str]:
        return invitation_accept(
            pk=pk, token=token, secret=secret, password=password, code=code_of(guest.device)
        )

    answers = together([partial(accept, password) for password in passwords])

    accepted = [
        password
        for password, answer in zip(passwords, answers, strict=True)
        if isinstance(answer, list)
    ]
    newcomer.refresh_from_db()
    assert [newcomer.check_password(password) for password in accepted] == [True]
    assert {type(answer) for answer in answers} == {list, InvitationOver}
    assert SecondFactor.objects.get().confirmed
    assert RecoveryCode.objects.count() == 10
    assert AuditEntry.objects.filter(message__startswith="Accepted the invitation").count() == 1
