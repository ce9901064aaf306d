"""Give a person of a test single permissions, which come from groups alone."""

from django.contrib.auth.models import Group, Permission, User


def permit(user: User, *codenames: str) -> None:
    """Put the user into a group with these permissions, which is no role: staff access stays."""
    group = Group.objects.create(name=f"Permissions of {user} {Group.objects.count()}")
    found = Permission.objects.filter(codename__in=codenames)
    if {permission.codename for permission in found} != set(codenames):
        raise LookupError(f"There is no such permission among {', '.join(codenames)}.")
    group.permissions.set(found)
    user.groups.add(group)
