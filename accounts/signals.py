"""Signals about accounts, invitations and proposals, sent inside the transaction that changes them.

A receiver only writes rows, as of the outbox.
"""

from django.dispatch import Signal

# Both send ``proposal``.
proposal_opened = Signal()
proposal_closed = Signal()
# Sends ``invitation``.
invitation_made = Signal()
# Somebody changed an account that is not their own, or what a role may do. Sends ``entry``, the
# audit entry that says so.
account_changed = Signal()
