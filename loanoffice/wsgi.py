"""WSGI entry: the demo's web server here, Zappa's handler on AWS."""

import os

from django.core.wsgi import get_wsgi_application

from core.stop_signals import exit_on_stop_signal
from core.traces import spans

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loanoffice.settings.local")

application = get_wsgi_application()
if spans.is_on():
    exit_on_stop_signal()  # so that the last spans are exported
