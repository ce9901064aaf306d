"""Create the people and the partner of the demo. Only where ``LOANOFFICE_DEMO`` is true."""

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from loanoffice.demo_logins import PARTNER, PARTNER_KEY, PASSWORD, ROLES
from partners.models import Partner, PartnerKey
from partners.services.keys import key_hash, partner_key_issue


@transaction.atomic
def create_demo_data() -> None:
    """Create the logins and the partner's key; existing ones stay as they are."""
    if not settings.LOANOFFICE_DEMO:
        raise ImproperlyConfigured("Demo logins are made with demo settings only.")
    hashed = ""  # once for all of them: it takes a third of a second, and is no secret
    for username, role in ROLES.items():
        user, new = User.objects.get_or_create(
            username=username,
            defaults={
                "email": f"{username}@example.com",
                "is_staff": True,
                "is_superuser": role is None,
            },
        )
        if new:
            user.password = hashed = hashed or make_password(PASSWORD)
            user.save(update_fields=["password"])
            if role is not None:
                user.groups.add(Group.objects.get(name=role.value))
    partner, _ = Partner.objects.get_or_create(name=PARTNER)
    if not PartnerKey.objects.filter(key_hash=key_hash(PARTNER_KEY)).exists():
        partner_key_issue(partner=partner, label="Demo", key=PARTNER_KEY)
