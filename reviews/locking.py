"""Lock a review task row. The lock order is in ``core.locking``."""

from core.locking import RowLock
from reviews.models import ReviewTask

_lock = RowLock(ReviewTask, "pk")


def task_lock(pk: int) -> ReviewTask:
    """Return the task, locked; its application must be locked already."""
    return _lock(pk)
