"""Set up Django before a handler module imports models. Import this module first.

On Lambda the handler module is the entry point; in the embedded engine and in tests Django is
set up already, and this module does nothing.
"""

import os

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loanoffice.settings.functions")
    django.setup()
