"""Create the people and partners of a run: those of the demo, and more senior managers."""

from django.contrib.auth.models import Group, User

from accounts.roles import Role
from devtools.chaos.plan import SENIORS
from devtools.demo_data import PASSWORD, create_demo_data
from partners.models import Partner
from partners.services.keys import partner_key_issue


def create_people(*, partners: int) -> list[str]:
    """Create the logins of the plan and ``partners`` partners; return a key of each partner."""
    create_demo_data()
    for username in SENIORS:
        if not User.objects.filter(username=username).exists():
            user = User.objects.create_user(
                username, f"{username}@example.com", PASSWORD, is_staff=True
            )
            user.groups.add(Group.objects.get(name=Role.SENIOR_MANAGER.value))
    return [
        partner_key_issue(partner=Partner.objects.create(name=f"Chaos partner {number}"))[1]
        for number in range(1, partners + 1)
    ]
