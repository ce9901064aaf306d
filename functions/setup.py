"""Set Django up before a handler module imports models. Import it first.

On Lambda the handler module is the entry; in the embedded engine and in tests Django is
ready already, and this does nothing.
"""

import os

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loanoffice.settings.functions")
    django.setup()
