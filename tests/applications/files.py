"""Small files of each type, and lies about them."""

import zlib

from django.contrib.auth.models import User

from applications.models import Document
from applications.services import documents


def png(size: int = 0) -> bytes:
    """A PNG of one black pixel, with ``size`` bytes of a chunk that nobody shows."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", b"\0\0\0\1\0\0\0\1\x08\0\0\0\0"),
            (b"prVt", b"\0" * size),
            (b"IDAT", zlib.compress(b"\0\0")),
            (b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + check


PDF = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer\n<< >>\nstartxref\n0\n%%EOF\n"
PNG = png()
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9"
HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
ZIP = b"PK\x03\x04" + b"\0" * 30
EXE = b"MZ" + b"\0" * 100
GIF = b"GIF89a" + b"\0" * 20

TYPES = {
    "application/pdf": ("slip.pdf", PDF),
    "image/png": ("card.png", PNG),
    "image/jpeg": ("card.jpg", JPEG),
}
# What is none of ours, whatever it is called.
NOT_OURS = {
    "html": HTML,
    "svg": SVG,
    "zip": ZIP,
    "exe": EXE,
    "gif": GIF,
    "text": b"hello",
    "null bytes": b"\0" * 64,
    "pdf after a blank": b" " + PDF,
    "pdf after html": HTML + PDF,
    "pdf without an end": PDF.removesuffix(b"%%EOF\n"),
    "pdf of no version": b"%PDF-x.y\n%%EOF",
    "png with a zip behind it": PNG + ZIP,
    "png cut short": PNG[:-4],
    "only the signature of a png": PNG[:8],
    "png that begins with another chunk": PNG[:8] + _chunk(b"tEXt", b"x" * 13) + PNG[8:],
    "jpeg cut after two bytes": JPEG[:2],
}


def document_upload(*, reference: str, user: User, upload: documents.Upload) -> Document:
    """Add a document as the form of the back office does."""
    with documents.upload_stored(reference=reference, user=user, upload=upload):
        return documents.document_add(reference=reference, upload=upload, user=user)
