"""Clients that are logged in, and the addresses of the admin's pages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from applications.models import LoanApplication

Login = Callable[[User], Client]


@pytest.fixture
def login() -> Login:
    def as_user(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return as_user


def page(name: str, application: LoanApplication, *args: object) -> str:
    """The address of one of the pages of an application, by the name of its view."""
    return reverse(f"admin:applications_loanapplication_{name}", args=[application.pk, *args])


def decide_page(application: LoanApplication, outcome: str) -> str:
    return page("decide", application, application.review_tasks.latest("pk").pk, outcome)


def said(response: Any) -> list[str]:
    """The messages that a response left for the next page."""
    return [str(message) for message in get_messages(response.wsgi_request)]


LIST = "/admin/applications/loanapplication/"
ADD = f"{LIST}add/"
