"""``changepassword``: Django's own command, recorded as an act on the host."""

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.models import User

from accounts.services.access import host_act_record
from audit.models import Action


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        options["username"] = options["username"] or getpass.getuser()
        said = super().handle(*args, **options)
        user = User.objects.get(username=options["username"])
        host_act_record(
            user=user, action=Action.PASSWORD, message=f"The password of {user} was changed."
        )
        return said
