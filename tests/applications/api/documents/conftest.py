"""A case, and storage of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from applications.models import LoanApplication
from partners.models import Partner
from partners.services import keys
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


@pytest.fixture(scope="module")
def office_rows(module_rows: None, django_db_blocker: DjangoDbBlocker) -> tuple[int, str, int]:
    """A partner, a key of every scope and a case that waits for a manager, once for a module."""
    with django_db_blocker.unblock():
        partner = Partner.objects.create(name="Maple Brokers")
        case = casework.waiting_for_manager(None, partner=partner)
        return partner.pk, keys.partner_key_issue(partner=partner)[1], case.pk


@pytest.fixture
def partner(db: None, office_rows: tuple[int, str, int]) -> Partner:
    return Partner.objects.get(pk=office_rows[0])


@pytest.fixture
def partner_key(partner: Partner, office_rows: tuple[int, str, int]) -> str:
    return office_rows[1]


@pytest.fixture
def case(partner: Partner, office_rows: tuple[int, str, int]) -> LoanApplication:
    """The partner's case, which waits for a manager."""
    return LoanApplication.objects.get(pk=office_rows[2])


@pytest.fixture
def nothing_kept(media: Path) -> Callable[[], None]:
    """Calling it asserts that neither the database nor the storage holds more than before."""
    before, then = everything_stored(), stored(media)

    def look() -> None:
        assert everything_stored() == before
        assert stored(media) == then

    return look
