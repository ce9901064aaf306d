"""Webhook endpoints and deliveries in the admin, and their part of an application's page."""

from django.contrib import admin

from applications.models import LoanApplication
from webhooks.admin.application import WebhookApplicationAdmin
from webhooks.admin.deliveries import WebhookDeliveryAdmin
from webhooks.admin.endpoints import WebhookEndpointAdmin
from webhooks.models import WebhookDelivery, WebhookEndpoint

admin.site.unregister(LoanApplication)
admin.site.register(LoanApplication, WebhookApplicationAdmin)
admin.site.register(WebhookEndpoint, WebhookEndpointAdmin)
admin.site.register(WebhookDelivery, WebhookDeliveryAdmin)
