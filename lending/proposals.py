"""Propose the publication of a policy version: another person confirms the exact difference.

Registered by ``apps`` where accounts are installed.
"""

from django.contrib.auth.models import User

from accounts import proposals
from accounts.models import Proposal
from accounts.proposal_kinds import (
    Confirmed,
    Description,
    Outcome,
    Parameters,
    ProposalKind,
    register,
)
from core.locking import locked
from lending import services
from lending.models import LendingPolicy
from lending.policy_words import changes_in_words

PUBLISH = "lending.publish_lendingpolicy"


def publication_propose(*, policy: LendingPolicy, user: User, note: str = "") -> Proposal:
    """Propose to publish a drafted version as it is now, in place of the one in force.

    Raises ``NotPermitted``, ``ProposedAlready``, ``PolicyPublished``, ``InvalidPolicy``.
    """
    given = {"policy": policy.pk}
    return proposals.proposal_open(kind=PUBLICATION, parameters=given, user=user, note=note)


def publication_open(policy: LendingPolicy) -> Proposal | None:
    """Return the open proposal to publish this version."""
    return proposals.open_proposal(kind=PUBLICATION, subject=_subject({"policy": policy.pk}))


def _policy(given: Parameters) -> LendingPolicy:
    return LendingPolicy.objects.get(pk=given["policy"])


def _subject(given: Parameters) -> str:
    return f"policy {given['policy']}"


def _describe(given: Parameters) -> Description:
    policy = _policy(given)
    changes = tuple(changes_in_words(services.policy_changes(policy)))
    return Description(
        title=f"Publish {str(policy).lower()}",
        sentence=(
            "From then on every application that is validated is judged by this version. "
            + ("What it changes:" if changes else "It says what the policy in force says.")
        ),
        rows=changes,
        target=policy,
    )


def _perform(given: Parameters, confirmed: Confirmed) -> Outcome:
    policy = services.policy_publish(policy=_policy(given), confirmed=confirmed)
    return Outcome(sentence=f"{policy} is in force.")


PUBLICATION = register(
    ProposalKind(
        name="lending.publish_policy",
        label="Publish a lending policy",
        propose=(PUBLISH,),
        confirm=(PUBLISH,),
        based_on="The draft or the policy in force",
        subject=_subject,
        check=lambda given: services.publish_check(policy=_policy(given)),
        describe=_describe,
        state=lambda given: services.publication_state(_policy(given)),
        # All versions: another draft may not be published meanwhile.
        lock=lambda _: list(locked(LendingPolicy.objects.all())),
        perform=_perform,
    )
)
