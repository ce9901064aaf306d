"""WSGI entry: the demo's web server here, Zappa's handler on AWS."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loanoffice.settings.local")

application = get_wsgi_application()
