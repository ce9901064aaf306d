"""``createsuperuser``: Django's own command, recorded as an act on the host."""

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.models import User

from accounts.services.access import host_act_record
from audit.models import Action


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        before = set(User.objects.values_list("pk", flat=True))
        super().handle(*args, **options)
        # Afterwards: the command asks for a name and a password, and no transaction may wait
        # for a person.
        for user in User.objects.filter(is_superuser=True).exclude(pk__in=before):
            host_act_record(
                user=user, action=Action.CREATED, message=f"The superuser {user} was created."
            )
