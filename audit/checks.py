"""Check at start that the seals have a place where the owner of the database cannot change them."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def seals_are_copied(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    bucket: str = settings.LOANOFFICE_SEAL_BUCKET
    if bucket and bucket in _other_buckets():
        found.append(
            Error(
                f"SEAL_BUCKET is {bucket}, which other files are stored in.",
                hint="Copies of the seals need a bucket of their own, with object lock.",
                id="audit.E001",
            )
        )
    if settings.LOANOFFICE_SEAL_DAYS < 1:
        found.append(
            Error(
                f"LOANOFFICE_SEAL_DAYS is {settings.LOANOFFICE_SEAL_DAYS}: a copy has to be kept "
                "for at least a day.",
                id="audit.E002",
            )
        )
    if settings.LOANOFFICE_SEAL_EVERY.total_seconds() < 1:
        found.append(
            Error("LOANOFFICE_SEAL_SECONDS has to be at least 1.", id="audit.E003"),
        )
    return found


def _other_buckets() -> set[str]:
    options = (storage.get("OPTIONS", {}) for storage in settings.STORAGES.values())
    return {str(option["bucket_name"]) for option in options if "bucket_name" in option}
