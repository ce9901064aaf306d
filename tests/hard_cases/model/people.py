"""Staff of the model, and one partner."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import User

from accounts.roles import Role
from partners.models import Partner


@dataclass
class People:
    """Staff of the model, and one partner."""

    officer: User
    manager: User
    manager2: User
    senior: User
    senior2: User
    analyst: User
    standin: User  # has no rights of their own
    operations: User
    boss: User  # a superuser, who also submits
    partner: Partner

    def may_decide(self) -> list[User]:
        """Those who decide something, and the one who never may by themselves."""
        return [
            self.manager,
            self.senior,
            self.analyst,
            self.manager2,
            self.senior2,
            self.standin,
            self.boss,
            self.officer,
        ]

    def seniors(self) -> set[int]:
        return {self.senior.pk, self.senior2.pk, self.boss.pk}


def hire(make_user: Callable[..., User]) -> People:
    """All of them, with the roles they have."""
    return People(
        officer=make_user("officer", Role.LOAN_OFFICER),
        manager=make_user("manager", Role.MANAGER),
        manager2=make_user("manager2", Role.MANAGER),
        senior=make_user("senior", Role.SENIOR_MANAGER),
        senior2=make_user("senior2", Role.SENIOR_MANAGER),
        analyst=make_user("analyst", Role.RISK_ANALYST),
        standin=make_user("standin"),
        operations=make_user("operations", Role.OPERATIONS),
        boss=make_user("boss", *Role, is_superuser=True),
        partner=Partner.objects.create(name="Maple Brokers"),
    )
