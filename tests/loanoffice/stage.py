"""Requests to a stage's own address, as Zappa passes them on, and where its pages lead.

Zappa sets ``SCRIPT_NAME`` to the stage for the address that API Gateway gives it.
"""

import re

from django.http import HttpResponse
from django.test import Client

STAGE = "/staging"
# Where a page, a form or a script sends its reader. What begins with "//" names another host.
LEADS = re.compile(r'(?:\s(?:href|src|action|formaction|poster)|\sdata-[a-z-]*url)="(/(?!/)[^"]*)"')


def caller(**headers: str) -> Client:
    """Return a client whose requests come through the stage; see ``behind_the_stage``."""
    return Client(SCRIPT_NAME=STAGE, raise_request_exception=False, headers=headers)


def leads_outside(answer: HttpResponse) -> set[str]:
    """Return the addresses of an answer, its redirect included, that are not behind the stage."""
    found = [answer.headers.get("Location", "")]
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        found += LEADS.findall(answer.content.decode())
    return {each for each in found if each.startswith("/") and not each.startswith(f"{STAGE}/")}
