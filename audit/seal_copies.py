"""Keep copies of the seals where the owner of the database cannot change them.

On AWS in a bucket with object lock: nobody, the account's owner included, deletes or replaces an
object before its time. On a laptop in a file that is only appended to, which is as good as whoever
owns the laptop. A copy is named after its content, so a seal that was rewritten has another name
and stands beside the first.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, override

from django.conf import settings
from django.utils import timezone

PREFIX = "seals/"


class CopiesUnreachable(Exception):
    """The copies cannot be read or written now."""


class Copies(Protocol):
    """A place for copies of seals: by number, and by the hash of the document."""

    @property
    def where(self) -> str: ...

    def write(self, number: int, digest: str, document: str) -> None:
        """Store a copy. Doing it again changes nothing."""

    def listed(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the hash of every copy."""

    def read(self, number: int, digest: str) -> str | None:
        """Return the document of a copy; ``None`` when no copy has this content."""


def configured() -> Copies | None:
    """Return the place that the settings name, if any."""
    if settings.LOANOFFICE_SEAL_BUCKET:
        return BucketCopies(
            settings.LOANOFFICE_SEAL_BUCKET, keep=timedelta(days=settings.LOANOFFICE_SEAL_DAYS)
        )
    if settings.LOANOFFICE_SEAL_FILE is not None:
        return FileCopies(settings.LOANOFFICE_SEAL_FILE)
    return None


def digest_of(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


class FileCopies(Copies):
    """Copies in a file, one document in a line, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> str:
        return str(self.path)

    @override
    def write(self, number: int, digest: str, document: str) -> None:
        import fcntl  # noqa: PLC0415 - Windows has none

        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            with os.fdopen(os.open(self.path, flags, 0o600), "rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                end = file.seek(0, os.SEEK_END)
                # A process that was killed may have left the beginning of a line.
                file.seek(max(end - 1, 0))
                torn = end > 0 and file.read(1) != b"\n"
                file.write(b"\n" * torn + document.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CopiesUnreachable(f"{self.path} cannot be written: {error}") from error

    def listed(self) -> Iterator[tuple[int, str]]:
        for number, document in self._documents():
            yield number, digest_of(document)

    def read(self, number: int, digest: str) -> str | None:
        for found, document in self._documents():
            if found == number and digest_of(document) == digest:
                return document
        return None

    def _documents(self) -> Iterator[tuple[int, str]]:
        """The whole lines; a line that is no document vouches for nothing."""
        try:
            with self.path.open(encoding="utf-8") as file:
                for line in file:
                    document = line.rstrip("\n")
                    try:
                        yield int(json.loads(document)["number"]), document
                    except (ValueError, KeyError, TypeError):
                        continue
        except FileNotFoundError:
            return
        except OSError as error:
            raise CopiesUnreachable(f"{self.path} cannot be read: {error}") from error


class BucketCopies(Copies):
    """Copies in a bucket of S3, each locked for ``keep`` in compliance mode."""

    def __init__(self, bucket: str, *, keep: timedelta) -> None:
        self.bucket = bucket
        self.keep = keep

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{PREFIX}"

    def write(self, number: int, digest: str, document: str) -> None:
        def put(client: Any) -> None:
            client.put_object(
                Bucket=self.bucket,
                Key=_key(number, digest),
                Body=document.encode(),
                ContentType="application/json",
                IfNoneMatch="*",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=timezone.now() + self.keep,
            )

        self._ask(put, unless="PreconditionFailed")  # it is there already

    def listed(self) -> Iterator[tuple[int, str]]:
        """Yield what was ever stored, also below a marker that hides it."""

        def every_version(client: Any) -> list[str]:
            pages = client.get_paginator("list_object_versions").paginate(
                Bucket=self.bucket, Prefix=PREFIX
            )
            return [each["Key"] for page in pages for each in page.get("Versions", [])]

        for key in dict.fromkeys(self._ask(every_version)):
            number, _, digest = key.removeprefix(PREFIX).removesuffix(".json").partition("-")
            if number.isdecimal():
                yield int(number), digest

    def read(self, number: int, digest: str) -> str | None:
        key = _key(number, digest)

        def contents(client: Any) -> list[str]:
            found = client.list_object_versions(Bucket=self.bucket, Prefix=key)
            return [
                client.get_object(Bucket=self.bucket, Key=key, VersionId=each["VersionId"])["Body"]
                .read()
                .decode(errors="replace")
                for each in found.get("Versions", [])
            ]

        documents: list[str] = self._ask(contents)
        return next((each for each in documents if digest_of(each) == digest), None)

    def _ask(self, question: Any, *, unless: str = "") -> Any:
        # Only here: a machine without a bucket needs no AWS.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3})
        try:
            return question(boto3.client("s3", config=config))
        except ClientError as error:
            if unless and error.response["Error"]["Code"] == unless:
                return None
            raise CopiesUnreachable(f"{self.where}: {error}") from error
        except BotoCoreError as error:
            raise CopiesUnreachable(f"{self.where}: {error}") from error


def _key(number: int, digest: str) -> str:
    """Return a name that sorts by number and says what the content has to be."""
    return f"{PREFIX}{number:010}-{digest}.json"
