"""Create the people of a run, who are those of the demo, and its partners."""

from devtools.demo_data import create_demo_data
from partners.models import Partner
from partners.services.keys import partner_key_issue


def create_people(*, partners: int) -> list[str]:
    """Create the logins of the plan and ``partners`` partners; return a key of each partner."""
    create_demo_data()
    return [
        partner_key_issue(partner=Partner.objects.create(name=f"Chaos partner {number}"))[1]
        for number in range(1, partners + 1)
    ]
