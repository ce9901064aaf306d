"""Set up Django before a handler module imports models. Import this module first.

On Lambda the handler module is the entry point; in the embedded engine and in tests Django is
set up already, and this module does nothing.

What a start makes, such as classes and modules, stays as long as the process. So no garbage is
looked for meanwhile, nor later among it: that takes 3 % of the instructions of a cold start.
"""

import gc
import os

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loanoffice.settings.functions")
    gc.disable()
    try:
        django.setup()
    finally:
        gc.enable()
    gc.freeze()
