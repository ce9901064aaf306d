"""Signals about proposals, sent inside the transaction that opens or closes one.

Both send ``proposal``. A receiver only writes rows, as of the outbox.
"""

from django.dispatch import Signal

proposal_opened = Signal()
proposal_closed = Signal()
