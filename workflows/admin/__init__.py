"""The workflow in the admin: its mirror to look into, incidents, and its part of a case's page.

``applications.admin`` does not know the workflow; ``case`` stands in for its own class.
"""

from django.contrib import admin

from applications.models import BulkDecision, LoanApplication
from workflows.admin.bulk import DeliveredBulkDecisionAdmin
from workflows.admin.case import CaseAdmin
from workflows.admin.deliveries import WebhookDeliveryAdmin
from workflows.admin.endpoints import WebhookEndpointAdmin
from workflows.admin.incidents import IncidentAdmin
from workflows.admin.mirror import ExecutionAdmin, OutboxMessageAdmin, PendingCallbackAdmin
from workflows.models import (
    Execution,
    Incident,
    OutboxMessage,
    PendingCallback,
    WebhookDelivery,
    WebhookEndpoint,
)

admin.site.unregister(LoanApplication)
admin.site.register(LoanApplication, CaseAdmin)
admin.site.unregister(BulkDecision)
admin.site.register(BulkDecision, DeliveredBulkDecisionAdmin)
admin.site.register(Execution, ExecutionAdmin)
admin.site.register(PendingCallback, PendingCallbackAdmin)
admin.site.register(OutboxMessage, OutboxMessageAdmin)
admin.site.register(Incident, IncidentAdmin)
admin.site.register(WebhookEndpoint, WebhookEndpointAdmin)
admin.site.register(WebhookDelivery, WebhookDeliveryAdmin)
