"""Production's storages on a wire: static files for everybody, documents by a link for a while."""

import json
import re
import urllib.request
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.templatetags.static import static

from applications.models import Document
from tests import casework
from tests.aws.process import Aws
from tests.aws.production import COMPLETE, run
from tests.sizes import LONG

MEDIA, STATIC = COMPLETE["MEDIA_BUCKET"], COMPLETE["STATIC_BUCKET"]
STATIC_AT = f"https://{STATIC}.s3.ca-central-1.amazonaws.com/"
LIFE = 300  # seconds of a link
SHOW = (
    "import json\nfrom django.conf import settings as s\n"
    "print(json.dumps({'STORAGES': s.STORAGES, 'STATIC_URL': s.STATIC_URL}))"
)


@pytest.fixture(scope="module")
def production() -> dict[str, Any]:
    """``STORAGES`` and ``STATIC_URL`` as production has them."""
    found = run("loanoffice.settings.production", "-c", SHOW, **COMPLETE)
    assert found.returncode == 0, found.stderr
    return dict(json.loads(found.stdout))


@pytest.fixture
def buckets(
    aws: Aws, production: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Aws:
    """Two empty buckets, which this test's Django stores in as production does."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    settings.STATIC_URL = production["STATIC_URL"]
    settings.STORAGES = production["STORAGES"]
    aws.make_bucket(MEDIA)
    aws.make_bucket(STATIC)
    return aws


@pytest.fixture
def letter(buckets: Aws, officer: User) -> Document:
    """The letter of an offer that the workflow made."""
    return Document.objects.get(application=casework.offered(officer))


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


def refused(url: str) -> str:
    """The reason, when the link is not followed."""
    with pytest.raises(HTTPError) as caught:
        fetched(url)
    assert caught.value.code == 403
    with caught.value:
        return caught.value.read().decode()


def unsigned(url: str) -> str:
    return urlsplit(url)._replace(query="").geturl()


@pytest.mark.django_db
def test_a_letter_is_stored_encrypted_with_our_key_and_without_a_list_of_readers(
    buckets: Aws, letter: Document
) -> None:
    (put,) = buckets.requests("PUT", f"/{MEDIA}/")
    assert put["path"] == f"/{MEDIA}/{letter.file.name}"
    assert put["headers"]["x-amz-server-side-encryption"] == "aws:kms"
    key = put["headers"]["x-amz-server-side-encryption-aws-kms-key-id"]
    assert key == COMPLETE["MEDIA_KMS_KEY"]
    assert "x-amz-acl" not in put["headers"]
    assert put["headers"]["content-type"] == "application/pdf"
    # S3 refuses a question that carries these.
    asked = buckets.requests("HEAD", f"/{MEDIA}/")
    assert asked
    assert not any(
        name.startswith("x-amz-server-side") for each in asked for name in each["headers"]
    )


@pytest.mark.django_db
def test_a_letter_is_read_by_its_link_until_the_link_is_old(buckets: Aws, letter: Document) -> None:
    link = letter.file.url
    assert fetched(link).startswith(b"%PDF-")
    assert len(fetched(link)) == letter.size
    buckets.set_clock_ahead(LIFE - 60)
    assert fetched(link)
    buckets.set_clock_ahead(LIFE + 60)
    assert "expired" in refused(link)


@pytest.mark.django_db
def test_nobody_reads_a_letter_without_a_link_or_with_another_letters(letter: Document) -> None:
    link = letter.file.url
    assert refused(unsigned(link)) == ""
    other = default_storage.save("applications/other.pdf", ContentFile(b"other"))
    stolen = link.replace(str(letter.file.name), other)
    assert stolen != link
    assert "SignatureDoesNotMatch" in refused(stolen)
    longer = link.replace(f"X-Amz-Expires={LIFE}", "X-Amz-Expires=86400")
    assert longer != link
    assert "SignatureDoesNotMatch" in refused(longer)


def test_a_link_names_the_bucket_in_its_region_and_lives_five_minutes(
    production: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings.STORAGES = production["STORAGES"]
    link = urlsplit(default_storage.url("applications/LOAN-1/letter.pdf"))
    assert link.scheme == "https"
    assert link.netloc == f"{MEDIA}.s3.ca-central-1.amazonaws.com"
    asked = parse_qs(link.query)
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert asked["X-Amz-Expires"] == [str(LIFE)]


def test_a_document_never_takes_the_place_of_another(buckets: Aws) -> None:
    first = default_storage.save("applications/x.pdf", ContentFile(b"first"))
    second = default_storage.save("applications/x.pdf", ContentFile(b"second"))
    assert first != second
    assert fetched(default_storage.url(first)) == b"first"
    assert fetched(default_storage.url(second)) == b"second"


@pytest.mark.long
def test_static_files_are_collected_under_names_of_their_content(buckets: Aws) -> None:
    # Each file is a request of some 30 ms.
    most = [] if LONG else ["rest_framework*", "admin/js*", "*otp*"]
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=most)
    keys = set(buckets.keys(STATIC))
    manifest = json.loads(
        buckets.client("s3").get_object(Bucket=STATIC, Key="staticfiles.json")["Body"].read()
    )
    assert set(manifest["paths"].values()) <= keys
    for name in ("loanoffice/loanoffice.css", "admin/css/base.css"):
        url = static(name)
        stem, suffix = name.rsplit(".", 1)
        assert re.fullmatch(re.escape(f"{STATIC_AT}{stem}.") + r"[0-9a-f]{12}\." + suffix, url)
        stored = buckets.client("s3").head_object(Bucket=STATIC, Key=url.removeprefix(STATIC_AT))
        assert stored["ContentType"] == "text/css"
    assert not [each for each in buckets.requests("PUT") if "x-amz-acl" in each["headers"]]


def test_static_files_are_public_by_the_buckets_policy_alone(buckets: Aws) -> None:
    key = "loanoffice/loanoffice.css"
    buckets.client("s3").put_object(Bucket=STATIC, Key=key, Body=b"body {}")
    url = f"{buckets.url}/{STATIC}/{key}"
    assert refused(url) == ""
    allow = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{STATIC}/*",
    }
    buckets.client("s3").put_bucket_policy(
        Bucket=STATIC, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    )
    assert fetched(url) == b"body {}"
