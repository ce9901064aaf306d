"""The page of last resort is drawn when nothing else works."""

import json

from django.http import HttpResponse
from django.test import RequestFactory

from partners.api import problems


def test_server_error_page_needs_no_database(rf: RequestFactory) -> None:
    """Without the ``db`` fixture, whatever touches the database fails this test."""
    answer: HttpResponse = problems.server_error(rf.get("/admin/"))

    html = answer.content.decode()
    assert answer.status_code == 500
    assert "Something went wrong here" in html
    assert "loanoffice/loanoffice.css" in html


def test_api_tells_a_problem_and_no_page(rf: RequestFactory) -> None:
    answer = problems.server_error(rf.get("/api/v1/applications/"))

    assert json.loads(answer.content)["status"] == 500
