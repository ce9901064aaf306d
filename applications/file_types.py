"""Detect the type of a file from its bytes, and clean its name. Pure.

The name and the declared type are untrusted: they may only agree with the type of the bytes.
"""

import re
import unicodedata
from dataclasses import dataclass

ENDS = 1024  # bytes of the beginning and of the end that ``type_of`` looks at
LONGEST_STEM = 180  # bytes in UTF-8, so that the name with its suffix fits every file system
NO_NAME = "document"
# Media types that state no particular type.
VAGUE = frozenset({"", "application/octet-stream", "binary/octet-stream"})
FORBIDDEN = re.compile(r'[<>:"|?*]')  # not allowed in names on Windows
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)
SUFFIX = re.compile(r"[A-Za-z][A-Za-z0-9]{0,9}")


@dataclass(frozen=True)
class FileType:
    """An accepted file type. ``suffixes`` are those allowed in its names, the usual one first."""

    label: str
    media_type: str
    suffixes: tuple[str, ...]
    also_called: frozenset[str] = frozenset()


PDF = FileType("a PDF", "application/pdf", ("pdf",), frozenset({"application/x-pdf"}))
PNG = FileType("a PNG image", "image/png", ("png",), frozenset({"image/x-png"}))
JPEG = FileType(
    "a JPEG image", "image/jpeg", ("jpg", "jpeg"), frozenset({"image/jpg", "image/pjpeg"})
)
FILE_TYPES = (PDF, PNG, JPEG)


def type_of(*, head: bytes, tail: bytes) -> FileType | None:
    """Detect the type of a file from its first and last ``ENDS`` bytes; ``None`` if unaccepted.

    The header must begin at the first byte, so that no other data precedes it. ISO 32000-2, 7.5.2
    and 7.5.5 (a PDF's header, and the marker in its last bytes); PNG, third edition, 5.2 and 11.2
    (its signature, IHDR first and IEND last, so that no data follows the image); ITU-T T.81,
    B.1.1.3 (JPEG's SOI and the next marker; cameras append data of their own).
    """
    if re.match(rb"%PDF-[12]\.[0-9]", head) and b"%%EOF" in tail:
        return PDF
    if head.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") and tail.endswith(b"IEND\xaeB`\x82"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    return None


def disagreement(found: FileType, *, name: str, declared: str) -> str:
    """Return an error sentence if the name or the declared type states another type, else ""."""
    suffix = _parts(_plain(name))[1]
    if suffix and suffix.lower() not in found.suffixes:
        return f"The name ends in .{suffix}, and this is {found.label}."
    media_type = declared.partition(";")[0].strip().lower()
    if media_type not in {found.media_type, *found.also_called, *VAGUE}:
        return f"It is declared as another type, and this is {found.label}."
    return ""


def clean_name(name: str, found: FileType) -> str:
    """Clean a name for display, download and sentences, with a suffix of its type.

    Removes folders, control characters and characters that change the text direction.
    """
    stem, suffix = _parts(_plain(name))
    if suffix.lower() not in found.suffixes:
        stem, suffix = f"{stem}.{suffix}" if suffix else stem, found.suffixes[0]
    stem = FORBIDDEN.sub("_", stem).strip(" .")
    stem = stem.encode()[:LONGEST_STEM].decode("utf-8", "ignore").strip(" .")
    if DEVICES.fullmatch(stem):
        stem = f"_{stem}"
    return f"{stem or NO_NAME}.{suffix.lower()}"


def _plain(name: str) -> str:
    """Return the last part of a path, on one line, without invisible characters."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    spaced = " ".join(last.split())
    seen = (sign for sign in spaced if unicodedata.category(sign)[0] != "C")
    return " ".join("".join(seen).split()).strip(" .")


def _parts(name: str) -> tuple[str, str]:
    """Split a name into stem and suffix; a dot inside a sentence does not begin a suffix."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or not SUFFIX.fullmatch(suffix):
        return name, ""
    return stem, suffix
