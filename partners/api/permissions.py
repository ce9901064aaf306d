"""Decide who may use which method of an endpoint. Services decide on the application itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from django.contrib.auth.models import User
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from partners.api.errors import MissingScope, NotAllowedHere
from partners.models import PartnerKey


@dataclass(frozen=True)
class Access:
    """Rights of one method. ``scope``: what a partner's key needs, empty when partners may not.

    ``staff``: permissions of which a member of staff needs one; empty when staff may not.
    ``or_else``: another way in which a member of staff may be allowed, asked last.
    """

    scope: str = ""
    staff: tuple[str, ...] = ()
    or_else: Callable[[User], bool] | None = None


class WithAccess(Protocol):
    """A view that declares who may use its methods."""

    access: dict[str, Access]


class MayUse(BasePermission):
    """Check the view's ``access``. Raises ``MissingScope`` or ``NotAllowedHere`` (403)."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user:
            return False  # 401
        method = "GET" if request.method == "HEAD" else str(request.method)
        access = cast("WithAccess", view).access.get(method)
        if access is None:
            return True  # 405 follows
        if isinstance(request.auth, PartnerKey):
            self._check_partner(request.auth, access)
        else:
            self._check_staff(request.user, access)
        return True

    @staticmethod
    def _check_partner(key: PartnerKey, access: Access) -> None:
        if not access.scope:
            raise NotAllowedHere("Only staff may do this.")
        if access.scope not in key.scopes:
            raise MissingScope(f"The key lacks the scope {access.scope}.")

    @staticmethod
    def _check_staff(user: object, access: Access) -> None:
        if not isinstance(user, User) or not user.is_staff:
            raise NotAllowedHere("This needs a partner's key or a member of staff.")
        if not access.staff:
            raise NotAllowedHere("Only a partner may do this; staff use the back office.")
        own = any(user.has_perm(permission) for permission in access.staff)
        if not own and not (access.or_else is not None and access.or_else(user)):
            raise NotAllowedHere("You may not do this.")
