"""Receivers of application signals and of changes of people. Each calls one service."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import receiver
from django.utils import timezone

from applications.models import ApplicationNote, LoanApplication
from applications.signals import (
    application_changed,
    application_contributed,
    application_withdrawn,
    note_added,
)
from partners.models import Partner
from reviews.services import approvals, delegation, mentions, rechecks, tasks
from reviews.signals import delegations_changed


@receiver(application_withdrawn)
def cancel_tasks(application: LoanApplication, **_: Any) -> None:
    tasks.tasks_cancel(application=application)


@receiver(application_changed)
def void_approvals(
    application: LoanApplication,
    changed: str,
    user: User | None,
    partner: Partner | None,
    **_: Any,
) -> None:
    approvals.approvals_void_after_edit(
        application=application, changed=changed, user=user, partner=partner
    )


@receiver([application_changed, application_contributed])
def look_again_after_work(application: LoanApplication, **_: Any) -> None:
    rechecks.application_recheck(application=application, now=timezone.now())


@receiver(note_added)
def notify_the_mentioned(note: ApplicationNote, **_: Any) -> None:
    mentions.mentions_notify(note=note)


@receiver(post_save, sender=User)
def end_rights_of_a_deactivated_person(
    instance: User, *, created: bool, update_fields: Collection[str] | None, **_: Any
) -> None:
    if created and not instance.is_superuser:
        return  # somebody new has no rights yet; the roles they get are looked at
    if not instance.is_active:
        approvals.approvals_void_of(person=instance)
        delegation.delegations_end_without_role(people=[instance.pk])
    if update_fields is None or not {"is_active", "is_staff"}.isdisjoint(update_fields):
        rechecks.tasks_recheck(now=timezone.now())


@receiver(m2m_changed, sender=User.groups.through)
def end_delegations_without_a_role(
    instance: User | Group, action: str, pk_set: set[int] | None, **_: Any
) -> None:
    if action.startswith("post_"):  # with a group for ``instance`` the set has the people
        people = {instance.pk} if isinstance(instance, User) else pk_set
        delegation.delegations_end_without_role(people=people)
        rechecks.tasks_recheck(now=timezone.now())


@receiver(delegations_changed)
def look_again_after_a_delegation(**_: Any) -> None:
    rechecks.tasks_recheck(now=timezone.now())
