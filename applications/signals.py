"""Signals of an application. Sent inside the transaction.

A receiver only writes rows; calls to other systems are made after the commit.
"""

from django.dispatch import Signal

# sender: LoanApplication. application=LoanApplication
application_submitted = Signal()

# sender: LoanApplication. application=LoanApplication
application_withdrawn = Signal()

# sender: LoanApplication. application=LoanApplication (locked, its new status in memory)
application_moved = Signal()
