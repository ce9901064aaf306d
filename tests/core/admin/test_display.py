"""The words of a deadline and the numbers of rows in the admin."""

import re
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from core.admin.display import deadline
from core.templatetags.display import count

NOW = datetime(2026, 11, 28, 17, tzinfo=UTC)  # noon in Toronto


@pytest.mark.parametrize(
    ("due", "expires", "said"),
    [
        ("2026-11-29T22:08Z", "2026-12-05T22:08Z", "Due tomorrow 17:08, expires 5 December"),
        ("2026-11-28T22:08Z", "2026-11-29T22:08Z", "Due today 17:08, expires tomorrow 17:08"),
        ("2026-11-27T22:08Z", "2026-11-28T22:08Z", "Due yesterday 17:08, expires today 17:08"),
        ("2026-12-01T22:08Z", "2026-12-05T22:08Z", "Due 1 December 17:08, expires 5 December"),
        ("2026-12-31T22:08Z", "2027-01-02T22:08Z", "Due 31 December 17:08, expires 2 January 2027"),
        # The end of a promised day, at which it is the next day in UTC.
        (
            "2026-11-29T22:08Z",
            "2026-12-13T04:59:59.999999Z",
            "Due tomorrow 17:08, expires 12 December",
        ),
    ],
)
def test_due_comes_before_expiry_in_words(
    monkeypatch: pytest.MonkeyPatch, due: str, expires: str, said: str
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    due_at, expires_at = datetime.fromisoformat(due), datetime.fromisoformat(expires)
    html = deadline(due_at, expires_at)
    assert re.sub("<[^>]+>", "", html) == said
    for at in (due_at, expires_at):
        assert f'datetime="{timezone.localtime(at).isoformat()}"' in html


def test_number_of_rows_over_a_thousand_is_read_in_groups_of_three() -> None:
    assert [count(number) for number in (0, 999, 1_000, 12_345)] == ["0", "999", "1,000", "12,345"]
