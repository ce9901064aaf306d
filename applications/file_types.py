"""What a file is, by its bytes, and what it may be called. Pure.

A name and a declared type are a stranger's words: they may only confirm what the bytes say.
"""

import re
import unicodedata
from dataclasses import dataclass

ENDS = 1024  # bytes of the beginning and of the end that ``type_of`` looks at
LONGEST_STEM = 180  # bytes in UTF-8: with its suffix a name fits into every file system
NO_NAME = "document"
# What says nothing about a file.
VAGUE = frozenset({"", "application/octet-stream", "binary/octet-stream"})
FORBIDDEN = re.compile(r'[<>:"|?*]')  # in a name on Windows
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)
SUFFIX = re.compile(r"[A-Za-z][A-Za-z0-9]{0,9}")


@dataclass(frozen=True)
class FileType:
    """``suffixes`` are what its names may end in, the usual one first."""

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
    """What a file is whose first and last ``ENDS`` bytes these are; ``None``: not one of ours.

    From the first byte on, so that nothing stands before it. ISO 32000-2, 7.5.2 and 7.5.5 (a
    PDF's header, and the marker in its last bytes); PNG, third edition, 5.2 and 11.2 (its
    signature, IHDR first and IEND last: nothing is hidden behind the picture); ITU-T T.81,
    B.1.1.3 (JPEG's SOI and the next marker; cameras write things of their own behind it).
    """
    if re.match(rb"%PDF-[12]\.[0-9]", head) and b"%%EOF" in tail:
        return PDF
    if head.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") and tail.endswith(b"IEND\xaeB`\x82"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    return None


def disagreement(found: FileType, *, name: str, declared: str) -> str:
    """A sentence when the name or the declared type says that it is something else."""
    suffix = _parts(_plain(name))[1]
    if suffix and suffix.lower() not in found.suffixes:
        return f"The name ends in .{suffix}, and this is {found.label}."
    media_type = declared.partition(";")[0].strip().lower()
    if media_type not in {found.media_type, *found.also_called, *VAGUE}:
        return f"It is declared as another type, and this is {found.label}."
    return ""


def clean_name(name: str, found: FileType) -> str:
    """A name that can be shown, downloaded and put into a sentence; with the right suffix.

    Without folders, control characters and those that turn the direction of writing.
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
    """The last part of a path, on one line, without what cannot be seen."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    spaced = " ".join(last.split())
    seen = (sign for sign in spaced if unicodedata.category(sign)[0] != "C")
    return " ".join("".join(seen).split()).strip(" .")


def _parts(name: str) -> tuple[str, str]:
    """Stem and suffix; a dot in the middle of a sentence makes no suffix."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or not SUFFIX.fullmatch(suffix):
        return name, ""
    return stem, suffix
