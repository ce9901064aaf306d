"""Executions, the outbox and incidents in the admin, and their part of an application's page."""

from django.contrib import admin

from applications.models import LoanApplication
from reviews.models import BulkDecision
from workflows.admin.application import WorkflowApplicationAdmin
from workflows.admin.bulk_decisions import DeliveredBulkDecisionAdmin
from workflows.admin.executions import ExecutionAdmin, PendingCallbackAdmin
from workflows.admin.incidents import IncidentAdmin
from workflows.admin.messages import OutboxMessageAdmin
from workflows.admin.system import SweepRunAdmin
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback, SweepRun

admin.site.unregister(LoanApplication)
admin.site.register(LoanApplication, WorkflowApplicationAdmin)
admin.site.unregister(BulkDecision)
admin.site.register(BulkDecision, DeliveredBulkDecisionAdmin)
admin.site.register(Execution, ExecutionAdmin)
admin.site.register(PendingCallback, PendingCallbackAdmin)
admin.site.register(OutboxMessage, OutboxMessageAdmin)
admin.site.register(Incident, IncidentAdmin)
admin.site.register(SweepRun, SweepRunAdmin)
