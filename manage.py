#!/usr/bin/env python
"""Django's command line for Loan Office."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loanoffice.settings.local")
    os.environ.setdefault("LOANOFFICE_PROCESS", "".join(sys.argv[1:2]))
    execute_from_command_line(sys.argv)
