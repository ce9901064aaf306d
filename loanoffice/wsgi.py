"""WSGI entry: the demo's web server here, Zappa's handler on AWS."""

import logging
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loanoffice.settings.local")

application = get_wsgi_application()

from accounts.proposals import single_admin_notice  # noqa: E402 - its models are ready now

if notice := single_admin_notice():
    logging.getLogger(__name__).warning(notice)
