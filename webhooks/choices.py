"""Types of webhook events. Public: types may be added, never changed."""

from django.db.models import TextChoices

from applications.choices import Status


class EventType(TextChoices):
    """``application.`` and the status that the application has now."""

    SUBMITTED = "application.submitted", "Submitted"
    PENDING_APPROVAL = "application.pending_approval", "Pending approval"
    APPROVED = "application.approved", "Approved"
    FUNDED = "application.funded", "Funded"
    DECLINED = "application.declined", "Declined"
    WITHDRAWN = "application.withdrawn", "Withdrawn"
    EXPIRED = "application.expired", "Expired"


# Sent to one endpoint by whoever sets it up; nobody subscribes to it, and it is about no
# application.
TEST = "endpoint.test"


def event_words(event_type: str) -> str:
    """Return the type of an event in words: ``Application funded``."""
    if event_type == TEST:
        return "Test"
    return f"Application {EventType(event_type).label.lower()}"


# Internal statuses (in review, needs attention) have no event.
EVENT_OF_STATUS = {
    status: EventType(f"application.{status.value}")
    for status in Status
    if f"application.{status.value}" in EventType.values
}
