"""A question with which a task is sent back, its answer, and what became of it."""

from reviews.models import InformationRequest, ReviewTask

QUESTION, ANSWER = "Is the income net or gross?", "Gross, by the slip of May."


def status(request: InformationRequest) -> str:
    request.refresh_from_db()
    assert (request.cancelled_at is not None) == (request.status == "cancelled")
    task = ReviewTask.objects.get(pk=request.task_id)
    still_open = task.information_requests.filter(status="open").values_list("asked_at", flat=True)
    assert task.sent_back_at == still_open.first()
    return request.status
