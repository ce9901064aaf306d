"""Names as they are stored for searching."""

import pytest

from applications.search_names import LENGTH, normalize


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Alice Johnson", "alice johnson"),
        ("Émile CÔTÉ", "emile cote"),
        ("E\u0301mile", "emile"),  # the accent as a sign of its own
        ("Strauß", "strauss"),
        ("İpek Çelik", "ipek celik"),
        ("ΠΑΠΠΆΣ", "παππασ"),
        ("παππάς", "παππασ"),  # the letter at the end of a word is the same letter
        ("ИВАНОВА Ольга", "иванова ольга"),
        ("محمد حسن", "محمد حسن"),
        ("王 宇航", "王 宇航"),
        ("  Jean \t Le   Blanc ", "jean le blanc"),
        ("ＡＬＩＣＥ", "alice"),  # noqa: RUF001
        ("🦊 Fox", "🦊 fox"),
        ("\u0301", ""),
    ],
)
def test_case_accents_and_spaces_do_not_matter(name: str, kept: str) -> None:
    assert normalize(name) == kept
    assert normalize(kept) == kept


def test_what_is_kept_has_a_bounded_length_and_no_space_at_its_end() -> None:
    assert len(normalize("\ufdfa" * 200)) <= LENGTH  # one sign that becomes eighteen
    assert normalize("a" * (LENGTH - 1) + " b") == "a" * (LENGTH - 1)


def test_start_of_a_name_is_the_start_of_what_is_kept() -> None:
    name = "Élodie Lévesque-Strauß"
    for length in range(1, len(name) + 1):
        assert normalize(name).startswith(normalize(name[:length]))
