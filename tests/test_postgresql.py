"""``python -m tests.postgresql`` gives its command a database, and leaves the rest to it."""

import sys
from pathlib import Path

import pytest

from tests import postgresql

SHOW = "import os; print([os.environ.get(name) for name in ('DATABASE_URL', {!r})])"
SETTINGS = "DJANGO_SETTINGS_MODULE"


class Server:
    """A server that is not started."""

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to stop."""

    def get_uri(self) -> str:
        return "postgresql://server/database"


@pytest.fixture(autouse=True)
def _environment_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.mark.parametrize("given", [None, "loanoffice.settings.test"])
def test_command_has_the_settings_that_it_chooses(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], given: str | None
) -> None:
    """``manage.py chaos`` with the settings of tests made logins that its web server refused."""
    monkeypatch.setattr(postgresql, "serve", lambda _: Server())
    monkeypatch.setattr(sys, "argv", ["postgresql", sys.executable, "-c", SHOW.format(SETTINGS)])
    monkeypatch.delenv(SETTINGS, raising=False)
    if given is not None:
        monkeypatch.setenv(SETTINGS, given)

    assert postgresql.main() == 0

    assert capfd.readouterr().out.strip() == str(["postgresql://server/database", given])


def test_each_checkout_has_data_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def serve(data: Path) -> Server:
        folders.append(data)
        return Server()

    monkeypatch.setattr(postgresql, "serve", serve)
    monkeypatch.setattr(sys, "argv", ["postgresql", sys.executable, "-c", ""])
    postgresql.main()
    monkeypatch.setattr(postgresql, "REPOSITORY", Path("/another/checkout"))
    postgresql.main()

    assert len(set(folders)) == 2
