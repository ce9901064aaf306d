"""SQLite keeps more of its file in memory while rows are seeded, and as before afterwards."""

import pytest
from django.db import connection

from devtools.seeding.bulk_insert import MANY_WRITES, many_writes

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="the settings are SQLite's"),
]


def settings_of_the_connection() -> dict[str, int]:
    with connection.cursor() as cursor:
        return {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in MANY_WRITES}


def test_settings_hold_meanwhile_and_are_put_back_after_an_error_too() -> None:
    before = settings_of_the_connection()
    assert before != MANY_WRITES

    with pytest.raises(RuntimeError):
        write_and_fail()

    assert settings_of_the_connection() == before


@many_writes()
def write_and_fail() -> None:
    assert settings_of_the_connection() == MANY_WRITES
    raise RuntimeError
