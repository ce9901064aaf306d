"""Load a session's user together with what its second factor needs; one query."""

from typing import Any

from django.contrib.auth.models import User

from accounts.permissions import RoleBackend
from accounts.selectors import person_with_second_factor


class StaffBackend(RoleBackend):
    def get_user(self, user_id: Any) -> User | None:
        try:
            user = person_with_second_factor(user_id)
        except User.DoesNotExist:
            return None
        return user if self.user_can_authenticate(user) else None
