"""Changes of policies, decline reasons, partners, their keys, and delegations in the admin."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from accounts.models import Proposal
from accounts.roles import Role
from lending.models import LendingPolicy
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue
from reviews.models import DeclineReason, Delegation
from tests.applications.admin.test_other_pages import typed_from
from tests.audit.scenarios.office import Office, address
from tests.reviews.admin.test_delegations import typed as moment_typed


def policy_draft(office: Office, client: Client) -> LendingPolicy:
    add = address("lending_lendingpolicy_add")
    client.post(add, typed_from(client.get(add)) | {"authorities-0-ceiling": "300000.00"})
    return LendingPolicy.objects.get(version=2)


def policy_add(office: Office) -> None:
    policy_draft(office, office.client(Role.POLICY_OWNER))


def policy_change(office: Office) -> None:
    draft = policy_draft(office, office.client(Role.POLICY_OWNER))
    client = office.client(Role.POLICY_OWNER)
    change = address("lending_lendingpolicy_change", draft.pk)
    client.post(change, typed_from(client.get(change)) | {"authorities-0-ceiling": "310000.00"})


def policy_propose(office: Office) -> None:
    draft = policy_draft(office, office.client(Role.POLICY_OWNER))
    office.client(Role.POLICY_OWNER).post(address("lending_lendingpolicy_publish", draft.pk))


def policy_publish(office: Office) -> None:
    """Another owner confirms what one proposed."""
    policy_propose(office)
    confirm(office, Role.POLICY_OWNER)


def confirm(office: Office, *roles: Role) -> None:
    """Somebody else, in these roles, confirms the one proposal."""
    client = office.client(*roles)
    client.post(address("accounts_proposal_confirm", Proposal.objects.get().pk))


def reason_add(office: Office) -> None:
    client = office.client(Role.POLICY_OWNER)
    add = address("reviews_declinereason_add")
    said = {"code": "SCENARIO", "text": "Other.", "kinds": "manager_approval"}
    client.post(add, typed_from(client.get(add)) | said)


def reason_change(office: Office) -> None:
    reason = DeclineReason.objects.order_by("pk").first()
    assert reason is not None
    client = office.client(Role.POLICY_OWNER)
    change = address("reviews_declinereason_change", reason.pk)
    typed = typed_from(client.get(change))
    typed.pop("active", None)
    client.post(change, typed)


def partner_add(office: Office) -> None:
    client = office.client(Role.PARTNER_MANAGER)
    add = address("partners_partner_add")
    client.post(add, typed_from(client.get(add)) | {"name": "Maple", "is_active": "on"})


def partner_change(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    client = office.client(Role.PARTNER_MANAGER)
    change = address("partners_partner_change", partner.pk)
    client.post(change, typed_from(client.get(change)) | {"name": "Birch"})


def key_issue(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    client = office.client(Role.PARTNER_MANAGER)
    client.post(
        address("partners_partner_issue_key", partner.pk), {"scopes": ["applications:read"]}
    )


def key_add(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    typed = {"partner": partner.pk, "scopes": ["applications:read"]}
    office.client(Role.PARTNER_MANAGER).post(address("partners_partnerkey_add"), typed)


def key_revoke(office: Office) -> None:
    partner_key_issue(partner=Partner.objects.create(name="Maple"))
    row = PartnerKey.objects.get()
    office.client(Role.PARTNER_MANAGER).post(address("partners_partnerkey_revoke", row.pk))


def key_rotate(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    partner_key_issue(partner=partner, scopes=("applications:read",))
    row = PartnerKey.objects.get()
    client = office.client(Role.PARTNER_MANAGER)
    client.post(address("partners_partnerkey_rotate", row.pk), {"overlap": "24"})


def key_expire(office: Office) -> None:
    partner_key_issue(partner=Partner.objects.create(name="Maple"))
    row = PartnerKey.objects.get()
    typed = {"expires_at": moment_typed(timezone.now() + timedelta(days=1))}
    office.client(Role.PARTNER_MANAGER).post(address("partners_partnerkey_expire", row.pk), typed)


def delegation_add(office: Office) -> None:
    client = office.client(Role.MANAGER)
    delegate = office.user(Role.MANAGER)
    now = timezone.now()
    typed = {
        "delegate": delegate.pk,
        "starts_at": moment_typed(now),
        "ends_at": moment_typed(now + timedelta(days=1)),
    }
    if office.actor is not None and office.actor.is_superuser:
        typed["delegator"] = office.user(Role.MANAGER).pk
    client.post(address("reviews_delegation_add"), typed)


def delegation_revoke(office: Office) -> None:
    """People revoke their own delegations, superusers those of others."""
    client = office.client(Role.MANAGER)
    assert office.actor is not None
    delegator = office.user(Role.MANAGER) if office.actor.is_superuser else office.actor
    now = timezone.now()
    given = Delegation.objects.create(
        delegator=delegator,
        delegate=office.user(Role.MANAGER),
        created_by=delegator,
        starts_at=now,
        ends_at=now + timedelta(days=1),
    )
    client.post(address("reviews_delegation_revoke", given.pk))
