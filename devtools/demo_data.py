"""Create the people and the partner of the demo, and act in their names.

Only where ``LOANOFFICE_DEMO`` is true.
"""

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from accounts.proposals import proposal_confirm
from lending.models import LendingPolicy
from lending.proposals import publication_propose
from lending.services import policy_current
from loanoffice.demo_logins import PARTNER, PARTNER_KEY, PASSWORD, ROLES
from partners.models import Partner, PartnerKey
from partners.services.keys import key_hash, partner_key_issue
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookEndpoint


def create_demo_data() -> None:
    """Create the logins and the partner's key; existing ones stay as they are."""
    if not settings.LOANOFFICE_DEMO:
        raise ImproperlyConfigured("Demo logins are made with demo settings only.")
    are_there = User.objects.filter(username__in=ROLES).count() == len(ROLES)
    # Once for all of them, and before the transaction: it takes a third of a second, and is no
    # secret.
    _create("" if are_there else make_password(PASSWORD))


@transaction.atomic
def _create(hashed: str) -> None:
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
            user.password = hashed
            user.save(update_fields=["password"])
            if role is not None:
                user.groups.add(Group.objects.get(name=role.value))
    partner, _ = Partner.objects.get_or_create(name=PARTNER)
    if not PartnerKey.objects.filter(key_hash=key_hash(PARTNER_KEY)).exists():
        partner_key_issue(partner=partner, label="Demo", key=PARTNER_KEY)


def register_endpoint(url: str) -> str:
    """Register a webhook endpoint of the demo's partner, as ``partners``; return its secret.

    Empty when it was registered before. Raises ``InvalidEndpoint``.
    """
    partner = Partner.objects.get(name=PARTNER)
    if WebhookEndpoint.objects.filter(partner=partner, url=url).exists():
        return ""
    by = User.objects.get(username="partners")
    return endpoint_create(partner=partner, url=url, by=by)[1]


def require_acceptance() -> LendingPolicy | None:
    """Publish a policy version with which applicants accept offers: ``policy``, then ``policy2``.

    Else it is as the one in force. ``None`` when that one asks already.
    """
    if policy_current().offer_acceptance_required:
        return None
    proposer, confirmer = (User.objects.get(username=name) for name in ("policy", "policy2"))
    with transaction.atomic():
        draft = _copy_in_force()
        note = "For docs/partners.md: the applicant has to accept the offer."
        proposal = publication_propose(policy=draft, user=proposer, note=note)
    proposal_confirm(proposal=proposal, user=confirmer)
    return draft


# The fields that a draft does not take from another version.
OF_ONE_VERSION = {
    "id",
    "version",
    "created_at",
    "published_at",
    "published_by",
    "offer_acceptance_required",
}


def _copy_in_force() -> LendingPolicy:
    """Draft the version in force again, with the acceptance of offers."""
    current = policy_current()
    tiers, authorities = list(current.tiers.all()), list(current.authorities.all())
    own = {
        "id",
        "version",
        "created_at",
        "published_at",
        "published_by",
        "offer_acceptance_required",
    }
    kept = {
        field.name: getattr(current, field.name)
        for field in LendingPolicy._meta.concrete_fields
        if field.name not in own
    }
    number = LendingPolicy.objects.latest("version").version + 1
    draft = LendingPolicy.objects.create(
        **kept, version=number, created_at=timezone.now(), offer_acceptance_required=True
    )
    for tier in tiers:
        tier.pk, tier.policy = None, draft
        tier.save(force_insert=True)
    for authority in authorities:
        authority.pk, authority.policy = None, draft
        authority.save(force_insert=True)
    return draft
