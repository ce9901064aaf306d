"""A case, and storage of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from applications.models import LoanApplication
from partners.models import Partner
from tests import casework
from tests.applications.api.documents.sending import stored
from tests.hard_cases.stored import everything_stored


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """Return the folder that holds this test's files only."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "temporary"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    return tmp_path / "media"


@pytest.fixture(autouse=True)
def _no_temporary_file_stays(media: Path) -> Iterator[None]:
    yield
    assert not list((media.parent / "temporary").iterdir())


@pytest.fixture
def case(partner: Partner) -> LoanApplication:
    """The partner's case, which waits for a manager."""
    return casework.waiting_for_manager(None, partner=partner)


@pytest.fixture
def nothing_kept(media: Path) -> Callable[[], None]:
    """Calling it asserts that neither the database nor the storage holds more than before."""
    before, then = everything_stored(), stored(media)

    def look() -> None:
        assert everything_stored() == before
        assert stored(media) == then

    return look
