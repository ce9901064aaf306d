"""Split a letter to many: a notification and an e-mail for each, by what each person chose.

Run by the handler of e-mails before it sends, and again after a crash: what was written for a
person under the same key stays as it is.
"""

from collections import defaultdict
from collections.abc import Sequence

from django.contrib.auth.models import User

from reviews.choices import MailMode
from reviews.services.mail_choices import mail_modes
from reviews.services.notifications import Content, notifications_add
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import Recipient, Weight

# The note of a letter to many, for each of whom another message was written.
SPLIT = "Split"
NOBODY = "nobody to send it to"
# What each person's choice lets through at once.
AT_ONCE = {
    MailMode.AT_ONCE: frozenset(Weight),
    MailMode.DIGEST: frozenset({Weight.ALWAYS, Weight.URGENT}),
    MailMode.URGENT: frozenset({Weight.ALWAYS, Weight.URGENT}),
    MailMode.NONE: frozenset({Weight.ALWAYS}),
}


def split(message: OutboxMessage, audience: Sequence[Recipient]) -> str:
    """Notify the people and write a message for each letter; returns the note of the message."""
    same: defaultdict[Content, list[int]] = defaultdict(list)
    for each in audience:
        if each.content is not None:
            same[each.content].append(each.user)
    for content, people in same.items():
        notifications_add(key=message.key, content=content, people=people)
    modes = mail_modes(people=[each.user for each in audience])
    users = [each.user for each in audience if each.weight in AT_ONCE[modes[each.user]]]
    later = len(audience) - len(users)
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
    chose = f"{later} chose a digest or no e-mail" if later else ""
    if not written:
        return f"Nothing sent at once: {chose}" if chose else f"Nothing sent: {NOBODY}"
    many = f"one letter to each of {len(written)} people" if len(written) > 1 else "one letter"
    return f"{SPLIT} into {many}{'; ' if chose else ''}{chose}"


def _with_address(users: Sequence[int]) -> list[int]:
    people = User.objects.filter(pk__in=users).exclude(email="")
    return list(people.order_by("pk").values_list("pk", flat=True))
