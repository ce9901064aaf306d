"""Enumerations of reviews: kinds and statuses of tasks, notifications. Pure."""

from django.db.models import TextChoices


class TaskKind(TextChoices):
    """A kind of question put to people."""

    MANAGER_APPROVAL = "manager_approval", "Manager approval"
    FRAUD_REVIEW = "fraud_review", "Fraud review"
    OFFER_ACCEPTANCE = "offer_acceptance", "Offer acceptance"


class TaskStatus(TextChoices):
    """The status of a review task."""

    OPEN = "open", "Open"
    DECIDED = "decided", "Decided"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


class RequestStatus(TextChoices):
    """The status of a question with which a task was sent back to the loan officers."""

    OPEN = "open", "Open"
    ANSWERED = "answered", "Answered"
    CANCELLED = "cancelled", "Cancelled"


class NotificationKind(TextChoices):
    """The reason why one person is notified in the header of their pages."""

    SECOND_APPROVAL = "second_approval", "Second approval needed"
    SCARCE_APPROVAL = "scarce_approval", "Second approval at risk"
    SENT_BACK = "sent_back", "Sent back"
    ANSWERED = "answered", "Answered"
    TO_CONFIRM = "to_confirm", "To confirm"
    PROPOSAL_CLOSED = "proposal_closed", "Your proposal"
    MENTION = "mention", "You were mentioned"


class MailMode(TextChoices):
    """Which e-mails about work one person gets."""

    DIGEST = "digest", "What is urgent at once, the rest in one e-mail a day"
    AT_ONCE = "at_once", "Each e-mail at once"
    URGENT = "urgent", "Only what is urgent, at once"
    NONE = "none", "None: I look at the bell and the front page"
