"""Signals of an application. Sent inside the transaction.

A receiver only writes rows; calls to other systems are made after the commit.
"""

from django.dispatch import Signal

# sender: LoanApplication. application=LoanApplication
application_submitted = Signal()

# sender: LoanApplication. application=LoanApplication
application_withdrawn = Signal()

# sender: LoanApplication. application=LoanApplication (locked), changed=str (what, in words),
# user=User|None, partner=Partner|None: the facts that deciders read have another version
application_changed = Signal()

# sender: LoanApplication. application=LoanApplication (locked): somebody added a document to it,
# which keeps them from deciding it
application_contributed = Signal()

# sender: LoanApplication. application=LoanApplication (locked, its new status in memory)
application_moved = Signal()

# sender: ApplicationNote. note=ApplicationNote, of an application that is locked
note_added = Signal()
