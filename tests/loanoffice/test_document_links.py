"""Documents on production's storage, on a wire: sent by a partner, followed by a signed link."""

import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.roles import Role
from applications.models import Document, StoredUpload
from applications.services import documents
from partners.models import Partner
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import page
from tests.applications.api.documents.sending import BOUNDARY, FINE
from tests.aws.process import Aws
from tests.loanoffice.test_storage import LIFE, MEDIA, buckets, production
from tests.partners.api.calls import path

pytestmark = pytest.mark.django_db
__all__ = ["buckets", "production"]


@pytest.fixture
def partner_api(buckets: Aws, partner_key: str, settings: Any) -> Client:
    settings.LOANOFFICE_STORAGE_SIGNS_LINKS = True
    return Client(headers={"Authorization": f"Bearer {partner_key}"}, raise_request_exception=False)


@pytest.fixture
def address(partner: Partner) -> str:
    return path(casework.waiting_for_manager(None, partner=partner).reference, "documents/")


def send(api: Client, address: str) -> Any:
    return api.post(address, FINE, content_type=f"multipart/form-data; boundary={BOUNDARY}")


def test_production_signs_links_by_its_storage(production: dict[str, Any]) -> None:
    options = production["STORAGES"]["default"]["OPTIONS"]
    assert (options["querystring_auth"], options["querystring_expire"]) == (True, LIFE)


def test_document_is_stored_encrypted_as_what_it_is_and_followed_as_a_download(
    partner_api: Client, address: str, buckets: Aws
) -> None:
    assert send(partner_api, address).status_code == 201
    row = Document.objects.get()
    (put,) = buckets.requests("PUT", f"/{MEDIA}/")
    assert put["path"] == f"/{MEDIA}/{row.file.name}"
    assert put["headers"]["content-type"] == "application/pdf"
    assert put["headers"]["x-amz-server-side-encryption"] == "aws:kms"

    (found,) = partner_api.get(address).json()["results"]
    assert urlsplit(found["url"]).netloc != "testserver"
    with urllib.request.urlopen(found["url"], timeout=30) as answer:
        assert answer.read() == files.PDF
        assert answer.headers["Content-Disposition"] == 'attachment; filename="slip.pdf"'
        assert answer.headers["Content-Type"] == "application/pdf"
        assert "no-store" in answer.headers["Cache-Control"]

    buckets.set_clock_ahead(LIFE + 60)
    with pytest.raises(HTTPError) as caught:
        urllib.request.urlopen(found["url"], timeout=30)
    with caught.value:
        assert caught.value.code == 403


def test_staff_look_at_a_stored_document_through_the_office(
    partner_api: Client, address: str, make_user: Callable[..., User]
) -> None:
    send(partner_api, address)
    row = Document.objects.get()
    client = Client()
    client.force_login(make_user("manager", Role.MANAGER))

    answer: Any = client.get(page("preview", row.application, row.pk))

    assert b"".join(answer.streaming_content) == files.PDF
    assert answer.headers["Content-Disposition"] == 'inline; filename="slip.pdf"'


def test_link_is_for_its_document_and_its_disposition_alone(
    partner_api: Client, address: str
) -> None:
    send(partner_api, address)
    (found,) = partner_api.get(address).json()["results"]
    inline = found["url"].replace("attachment", "inline")
    assert inline != found["url"]

    with pytest.raises(HTTPError) as caught:
        urllib.request.urlopen(inline, timeout=30)
    with caught.value:
        assert caught.value.code == 403


def test_upload_that_fails_takes_its_object_away_again(
    partner_api: Client, address: str, buckets: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def fails(**_: Any) -> None:
        seen.append(len(buckets.keys(MEDIA)))
        raise RuntimeError("the database went away")

    monkeypatch.setattr(documents, "event_record", fails)

    assert send(partner_api, address).status_code == 500
    assert seen == [1]
    assert list(buckets.keys(MEDIA)) == []
    assert not StoredUpload.objects.exists()
