"""Multipart bodies, how they are sent, and what storage has of them."""

from pathlib import Path
from typing import Any

from applications.models import (
    LoanApplication,
)
from tests.applications import files
from tests.partners.api.calls import Caller, path

BOUNDARY = "a-boundary"
KINDS = ["proof_of_identity", "proof_of_income", "bank_statement", "other"]
SENT = ("slip.pdf", "application/pdf", files.PDF)
type Part = tuple[str, tuple[str, str, bytes] | str | bytes]


def body(*parts: Part, boundary: str = BOUNDARY) -> bytes:
    """A multipart body: a text, or name, type and content of a file."""
    pieces = []
    for name, value in parts:
        if isinstance(value, tuple):
            file_name, media_type, content = value
            head = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"'
            head += f"\r\nContent-Type: {media_type}" if media_type else ""
        else:
            head = f'Content-Disposition: form-data; name="{name}"'
            content = value if isinstance(value, bytes) else value.encode()
        pieces.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def post(
    api: Caller,
    reference: str,
    raw: bytes,
    *,
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}",
    **headers: str,
) -> Any:
    return api.call(
        "POST",
        path(reference, "documents/"),
        data=raw,
        content_type=content_type,
        headers=headers,
    )


def send(
    api: Caller,
    case: LoanApplication,
    sent: tuple[str, str, bytes] = SENT,
    *,
    kind: str = "proof_of_income",
    boundary: str = BOUNDARY,
    **headers: str,
) -> Any:
    return post(
        api,
        case.reference,
        body(("kind", kind), ("file", sent), boundary=boundary),
        content_type=f"multipart/form-data; boundary={boundary}",
        **headers,
    )


def stored(media: Path) -> list[Path]:
    return [found for found in media.rglob("*") if found.is_file()]


def listed(api: Caller, case: LoanApplication) -> list[dict[str, Any]]:
    return list(api.get(path(case.reference, "documents/")).json()["results"])


FINE = body(("kind", "other"), ("file", SENT))
MULTIPART = "multipart/form-data"
