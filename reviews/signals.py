"""Signals of review tasks. Sent inside the transaction; receivers only write rows."""

from django.dispatch import Signal

# sender: ReviewTask. task=ReviewTask, decision=ReviewDecision (the one that settled it)
task_decided = Signal()
# sender: ReviewTask. task=ReviewTask, decisions=list[ReviewDecision] (kept, not applied)
decision_came_late = Signal()
# sender: ReviewTask. task=ReviewTask
task_opened = Signal()
