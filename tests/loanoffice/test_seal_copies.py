"""Copies of the seals in a bucket with object lock, over the wire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from audit import seal_copies, sealing
from audit.checks import seals_are_copied
from audit.models import Action, AuditEntry, Seal
from audit.seal_copies import BucketCopies, CopiesUnreachable
from audit.seal_verification import seals_verify
from audit.services import entry_record
from tests.aws.process import REGION, Aws
from tests.aws.production import COMPLETE

pytestmark = pytest.mark.django_db

BUCKET = COMPLETE["SEAL_BUCKET"]


@pytest.fixture
def bucket(aws: Aws, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An empty bucket with object lock, which the seals are copied to."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    aws.client("s3").create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": REGION},
        ObjectLockEnabledForBucket=True,
    )
    settings.LOANOFFICE_SEAL_BUCKET = BUCKET
    return aws


@pytest.fixture
def sealed(bucket: Aws) -> Seal:
    """A seal that is copied."""
    entry_record(action=Action.VIEWED, message="Looked.")
    sealing.seals_make()
    assert sealing.seals_copy() == 1
    return Seal.objects.get()


def key(seal: Seal) -> str:
    return f"seals/{seal.number:010}-{seal.hash}.json"


def test_copy_is_named_after_its_content_and_locked_for_years(bucket: Aws, sealed: Seal) -> None:
    assert bucket.keys(BUCKET) == [key(sealed)]
    stored = bucket.client("s3").get_object(Bucket=BUCKET, Key=key(sealed))
    assert stored["Body"].read().decode() == sealed.document
    assert stored["ObjectLockMode"] == "COMPLIANCE"
    kept = stored["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    assert timedelta(days=2556) < kept < timedelta(days=2558)
    (put,) = bucket.requests("PUT", f"/{BUCKET}/seals/")
    assert put["headers"]["if-none-match"] == "*"


def test_copy_is_not_deleted_by_anybody(bucket: Aws, sealed: Seal) -> None:
    s3 = bucket.client("s3")
    (version,) = s3.list_object_versions(Bucket=BUCKET)["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(
            Bucket=BUCKET,
            Key=key(sealed),
            VersionId=version["VersionId"],
            BypassGovernanceRetention=True,
        )
    s3.delete_object(Bucket=BUCKET, Key=key(sealed))  # a marker hides it
    assert bucket.keys(BUCKET) == []
    assert seals_verify().finding == ""
    assert seals_verify().copies == 1


def test_copy_that_is_there_is_left_alone(bucket: Aws, sealed: Seal) -> None:
    copies = seal_copies.configured()
    assert copies is not None
    copies.write(sealed.number, sealed.hash, sealed.document)
    assert len(bucket.client("s3").list_object_versions(Bucket=BUCKET)["Versions"]) == 1


def test_document_is_read_below_what_was_put_over_it(bucket: Aws, sealed: Seal) -> None:
    bucket.client("s3").put_object(Bucket=BUCKET, Key=key(sealed), Body=b"forged")
    copies = seal_copies.configured()
    assert copies is not None
    assert copies.read(sealed.number, sealed.hash) == sealed.document
    assert copies.read(sealed.number, "0" * 64) is None
    assert list(copies.listed()) == [(sealed.number, sealed.hash)]


def test_seal_that_the_database_lost_is_named(bucket: Aws, sealed: Seal) -> None:
    bucket.client("s3").put_object(Bucket=BUCKET, Key=f"seals/0000000002-{'0' * 64}.json", Body=b"")
    assert seals_verify().finding.startswith(
        f"Seal 2 is in s3://{BUCKET}/seals/ and not in the database."
    )


def test_bucket_that_is_not_there_is_an_error_that_names_it(bucket: Aws, settings: Any) -> None:
    settings.LOANOFFICE_SEAL_BUCKET = "no-such-bucket"
    entry_record(action=Action.VIEWED, message="Looked.")
    sealing.seals_make()
    for ask in (sealing.seals_copy, seals_verify):
        with pytest.raises(CopiesUnreachable, match=r"s3://no-such-bucket/seals/: .*NoSuchBucket"):
            ask()
    assert AuditEntry.objects.count() == 1


def test_endpoint_that_does_not_answer_is_an_error(
    bucket: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(CopiesUnreachable, match="Could not connect"):
        list(BucketCopies(BUCKET, keep=timedelta(days=1)).listed())


def test_bucket_of_other_files_and_times_that_keep_nothing_are_refused(settings: Any) -> None:
    assert seals_are_copied() == []
    settings.STORAGES = {"default": {"OPTIONS": {"bucket_name": BUCKET}}, "staticfiles": {}}
    settings.LOANOFFICE_SEAL_BUCKET = BUCKET
    settings.LOANOFFICE_SEAL_DAYS = 0
    settings.LOANOFFICE_SEAL_EVERY = timedelta()
    assert [each.id for each in seals_are_copied()] == ["audit.E001", "audit.E002", "audit.E003"]
