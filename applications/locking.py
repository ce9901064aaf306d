"""Lock an application row. The lock order is in ``core.locking``."""

from applications.models import LoanApplication
from core.locking import RowLock

_lock = RowLock(LoanApplication, "reference")


def application_lock(reference: str) -> LoanApplication:
    """Return the application, locked. Raises ``LoanApplication.DoesNotExist``."""
    return _lock(reference)
