"""Lock a review task row. The lock order is in ``core.locking``."""

from core.locking import locked
from reviews.models import ReviewTask


def task_lock(pk: int) -> ReviewTask:
    """Return the task, locked; its application must be locked already."""
    return locked(ReviewTask.objects.all()).get(pk=pk)
