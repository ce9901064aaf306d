"""Split a letter to many: a notification and an e-mail for each, by what each person chose.

Run by the handler of e-mails before it sends, and again after a crash: what was written for a
person under the same key stays as it is.
"""

from collections import defaultdict
from collections.abc import Sequence

from django.contrib.auth.models import User

from reviews.services.notifications import Content, notifications_add
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import Recipient

# The note of a letter to many, for each of whom another message was written.
SPLIT = "Split"
NOBODY = "nobody to send it to"


def split(message: OutboxMessage, audience: Sequence[Recipient]) -> str:
    """Notify the people and write a message for each letter; returns the note of the message."""
    same: defaultdict[Content, list[int]] = defaultdict(list)
    for each in audience:
        if each.content is not None:
            same[each.content].append(each.user)
    for content, people in same.items():
        notifications_add(key=message.key, content=content, people=people)
    users = [each.user for each in audience]
    written = _with_address(users) if "task" in message.payload else users
    queue.put_many(
        OutboxMessage(
            kind=OutboxMessage.Kind.EMAIL,
            key=f"{message.key}/{user}",
            payload={**message.payload, "user": user},
            application_id=message.application_id,
        )
        for user in written
    )
    if not written:
        return f"Nothing sent: {NOBODY}"
    many = f"one letter to each of {len(written)} people" if len(written) > 1 else "one letter"
    return f"{SPLIT} into {many}"


def _with_address(users: Sequence[int]) -> list[int]:
    people = User.objects.filter(pk__in=users).exclude(email="")
    return list(people.order_by("pk").values_list("pk", flat=True))
