"""The workflow in the admin: its mirror to look into, incidents, and its part of a case's page.

``applications.admin`` does not know the workflow; ``case`` stands in for its own class.
"""

from django.contrib import admin

from applications.models import LoanApplication
from reviews.models import BulkDecision
from webhooks.admin.deliveries import WebhookDeliveryAdmin
from webhooks.admin.endpoints import WebhookEndpointAdmin
from webhooks.models import WebhookDelivery, WebhookEndpoint
from workflows.admin.application import WorkflowApplicationAdmin
from workflows.admin.bulk_decisions import DeliveredBulkDecisionAdmin
from workflows.admin.executions import ExecutionAdmin, OutboxMessageAdmin, PendingCallbackAdmin
from workflows.admin.incidents import IncidentAdmin
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

admin.site.unregister(LoanApplication)
admin.site.register(LoanApplication, WorkflowApplicationAdmin)
admin.site.unregister(BulkDecision)
admin.site.register(BulkDecision, DeliveredBulkDecisionAdmin)
admin.site.register(Execution, ExecutionAdmin)
admin.site.register(PendingCallback, PendingCallbackAdmin)
admin.site.register(OutboxMessage, OutboxMessageAdmin)
admin.site.register(Incident, IncidentAdmin)
admin.site.register(WebhookEndpoint, WebhookEndpointAdmin)
admin.site.register(WebhookDelivery, WebhookDeliveryAdmin)
