"""Detection of a file's type by its bytes, and the names that are allowed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applications.file_types import (
    ENDS,
    FILE_TYPES,
    JPEG,
    LONGEST_STEM,
    PDF,
    PNG,
    FileType,
    clean_name,
    disagreement,
    type_of,
)
from tests.applications import files


def found(content: bytes) -> FileType | None:
    return type_of(head=content[:ENDS], tail=content[-ENDS:])


@pytest.mark.parametrize(("media_type", "file"), files.TYPES.items())
def test_file_is_what_its_bytes_say(media_type: str, file: tuple[str, bytes]) -> None:
    kind = found(file[1])

    assert kind is not None
    assert kind.media_type == media_type
    assert disagreement(kind, name=file[0], declared=media_type) == ""


@pytest.mark.parametrize("what", files.NOT_OURS)
def test_file_of_another_type_is_none_of_ours(what: str) -> None:
    assert found(files.NOT_OURS[what]) is None


@given(st.binary(max_size=64))
def test_bytes_by_chance_are_none_of_ours(content: bytes) -> None:
    assert found(content) is None or content.startswith((b"%PDF-", b"\x89PNG", b"\xff\xd8\xff"))


@pytest.mark.parametrize(
    ("kind", "name", "declared"),
    [
        (PDF, "x.pdf", "application/pdf"),
        (PDF, "X.PDF", "Application/PDF; charset=binary"),
        (PDF, "x", ""),
        (PDF, "statement no. 12 of 2026", "application/octet-stream"),
        (JPEG, "x.jpeg", "image/jpg"),
        (PNG, "holiday.exe.png", "image/png"),
    ],
)
def test_name_and_type_that_say_the_same_or_nothing_agree(
    kind: FileType, name: str, declared: str
) -> None:
    assert disagreement(kind, name=name, declared=declared) == ""


@pytest.mark.parametrize(
    ("kind", "name", "declared"),
    [
        (PDF, "x.exe", "application/pdf"),
        (PDF, "x.png", "application/pdf"),
        (PDF, "x.pdf.exe", ""),
        (PDF, "x.\N{RIGHT-TO-LEFT OVERRIDE}exe", ""),
        (PDF, "x.exe. ", ""),
        (PDF, "x.pdf", "text/html"),
        (JPEG, "x.jpg", "image/png"),
        (PNG, "x.html", "image/png"),
    ],
)
def test_name_or_type_that_says_otherwise_disagrees(
    kind: FileType, name: str, declared: str
) -> None:
    assert disagreement(kind, name=name, declared=declared)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("slip.pdf", "slip.pdf"),
        ("SLIP.PDF", "SLIP.pdf"),
        ("slip", "slip.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("..\\..\\windows\\slip.pdf", "slip.pdf"),
        ("C:\\Users\\me\\slip.pdf", "slip.pdf"),
        ("/", "document.pdf"),
        ("", "document.pdf"),
        ("..", "document.pdf"),
        (" . .pdf", "pdf.pdf"),
        (".pdf", "pdf.pdf"),
        ("...hidden.pdf", "hidden.pdf"),
        ("a\0b\r\nc.pdf", "ab c.pdf"),
        ("a\tb   c.pdf", "a b c.pdf"),
        ("fdp.\N{RIGHT-TO-LEFT OVERRIDE}slip.pdf", "fdp.slip.pdf"),
        ("\N{ZERO WIDTH SPACE}slip\N{ZERO WIDTH NO-BREAK SPACE}.pdf", "slip.pdf"),
        ('a<b>:"|?*.pdf', "a_b______.pdf"),
        ("CON.pdf", "_CON.pdf"),
        ("lpt1.tar.pdf", "_lpt1.tar.pdf"),
        ("Zoë 🦉 سلمان.pdf", "Zoë 🦉 سلمان.pdf"),
        ("Zoe\N{COMBINING DIAERESIS}.pdf", "Zoë.pdf"),
        ("statement no. 12", "statement no. 12.pdf"),
        ("x" * 400 + ".pdf", "x" * LONGEST_STEM + ".pdf"),
        ("🦉" * 100 + ".pdf", "🦉" * (LONGEST_STEM // 4) + ".pdf"),
        ("half\ud800.pdf", "half.pdf"),
    ],
)
def test_name_is_cleaned(name: str, clean: str) -> None:
    assert clean_name(name, PDF) == clean


@given(st.text(max_size=300), st.sampled_from(FILE_TYPES))
def test_cleaned_name_is_harmless_and_stays_as_it_is(name: str, kind: FileType) -> None:
    clean = clean_name(name, kind)

    assert clean_name(clean, kind) == clean
    assert clean.rpartition(".")[2] in kind.suffixes
    assert not set(clean) & set('/\\<>:"|?*')
    assert not clean.startswith((".", " "))
    assert len(clean.encode()) <= 200
    assert not any(unicodedata.category(sign)[0] == "C" for sign in clean)
