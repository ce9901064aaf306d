"""Partners and their keys in the admin."""

from django.contrib import admin

from partners.admin.keys import PartnerKeyAdmin
from partners.admin.partners import PartnerAdmin
from partners.models import Partner, PartnerKey

admin.site.register(Partner, PartnerAdmin)
admin.site.register(PartnerKey, PartnerKeyAdmin)
