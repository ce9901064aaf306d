"""Send the forms of the admin as a browser does: with the token of the page, maybe twice."""

import re
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([A-Za-z0-9]{64})"')
AGAIN = "This form was already sent; this is what it did."
CHANGED = "This form was already sent, with other values; this is what it did then."


def browser(user: User) -> Client:
    """Return a client that is logged in and whose POSTs need the token of a form."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def token_of(client: Client, address: str) -> str:
    """Open a page and return the token of its forms."""
    page = client.get(address)
    assert page.status_code == 200, (address, page.status_code)
    found = TOKEN.findall(page.content.decode())
    assert found, f"no form on {address}"
    return str(found[-1])


def open_form(client: Client, address: str, typed: dict[str, Any]) -> dict[str, Any]:
    """Open a page with a form, and return what is sent when it is filled in with ``typed``."""
    return {**typed, "csrfmiddlewaretoken": token_of(client, address)}
