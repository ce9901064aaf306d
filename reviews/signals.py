"""Signals of review tasks. Sent inside the transaction; receivers only write rows."""

from django.dispatch import Signal

# sender: ReviewTask. decisions=list[ReviewDecision], of one outcome and one time: each settled its
# task, which is locked and has its new status in memory
task_decided = Signal()
# sender: ReviewTask. task=ReviewTask, decisions=list[ReviewDecision] (kept, not applied)
decision_came_late = Signal()
# sender: ReviewTask. application=LoanApplication (locked), changed=str, user, partner (who edited):
# a decided task of the current attempt is approved no more
approvals_voided = Signal()
# sender: ReviewTask. task=ReviewTask (open), decision=ReviewDecision (which counts no more)
task_asked_again = Signal()
# sender: ReviewTask. task=ReviewTask
task_opened = Signal()
# sender: ReviewTask. tasks=dict[ReviewTask, str] (open, locked, each with its application): nobody
# can decide them since now, and why
tasks_undecidable = Signal()
# sender: ReviewTask. task=ReviewTask: somebody can decide it again
task_decidable_again = Signal()
# sender: ReviewTask. decisions=list[ReviewDecision]: the task of each is open and takes another
# approval
task_needs_another = Signal()
# sender: Delegation: somebody delegated their tasks, or ended that
delegations_changed = Signal()
# sender: InformationRequest. request=InformationRequest: a task was sent back with this question
information_asked = Signal()
# sender: InformationRequest. request=InformationRequest
information_answered = Signal()
