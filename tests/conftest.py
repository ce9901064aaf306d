"""Fixtures that every test may use: people, partners, applications, a running workflow."""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in

from accounts.roles import Role
from accounts.step_up import mark_stepped_up
from applications.models import LoanApplication
from applications.services import intake
from partners.models import Partner
from partners.services import keys
from tests.casework import ALICE, staff, waiting_for_manager
from tests.databases import caches_clear, django_db_setup, module_rows
from tests.outside_calls import noted, slow_work_watched
from tests.workflows.lambda_stub import LambdaStub, lambda_stub

__all__ = ["django_db_setup", "module_rows", "slow_work_watched"]

# No test fails because the machine is slow.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reverse", action="store_true", help="run the tests in the reverse order")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what reads or writes the product's database; pytest-django refuses it to all others."""
    names = getattr(item, "fixturenames", ())
    if item.get_closest_marker("django_db") or "django_db_setup" in names:
        item.add_marker(pytest.mark.uses_database)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that all workers end at about the same time."""
    for marker in ("both_databases", "long"):
        items.sort(key=lambda item: item.get_closest_marker(marker) is None)
    if config.getoption("--reverse"):
        items.reverse()


def pytest_collection_finish() -> None:
    """Search for cycles less often, and not among the modules: it took an eighth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """``make_user("manager", Role.MANAGER)``: a member of staff in these roles."""
    return staff


@pytest.fixture
def officer(make_user: Callable[..., User]) -> User:
    return make_user("officer", Role.LOAN_OFFICER)


@pytest.fixture
def manager(make_user: Callable[..., User]) -> User:
    return make_user("manager", Role.MANAGER)


@pytest.fixture
def senior(make_user: Callable[..., User]) -> User:
    return make_user("senior", Role.SENIOR_MANAGER)


@pytest.fixture
def analyst(make_user: Callable[..., User]) -> User:
    return make_user("analyst", Role.RISK_ANALYST)


@pytest.fixture
def decider(make_user: Callable[..., User]) -> User:
    """Somebody who can decide every review and gets no mail, so that no task is an incident."""
    person = make_user("decider", Role.SENIOR_MANAGER, Role.RISK_ANALYST)
    User.objects.filter(pk=person.pk).update(email="")
    person.refresh_from_db()
    return person


@pytest.fixture
def operations(make_user: Callable[..., User]) -> User:
    return make_user("operations", Role.OPERATIONS)


@pytest.fixture
def partner_manager(make_user: Callable[..., User]) -> User:
    return make_user("partners", Role.PARTNER_MANAGER)


@pytest.fixture
def auditor(make_user: Callable[..., User]) -> User:
    return make_user("auditor", Role.AUDITOR)


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", is_superuser=True)


@pytest.fixture
def partner(db: None) -> Partner:
    return Partner.objects.create(name="Maple Brokers")


@pytest.fixture
def partner_key(partner: Partner) -> str:
    """A live key with every scope."""
    return keys.partner_key_issue(partner=partner)[1]


@pytest.fixture
def draft(officer: User) -> LoanApplication:
    """Alice's draft, made by ``officer``."""
    return intake.application_create(user=officer, **ALICE)


@pytest.fixture
def submitted(draft: LoanApplication, officer: User) -> LoanApplication:
    """Alice's application, submitted by ``officer``; its start waits in the outbox."""
    return intake.application_submit(reference=draft.reference, user=officer)


@pytest.fixture
def waiting(officer: User) -> LoanApplication:
    """Alice's application, submitted by ``officer``, that waits for a manager's decision."""
    return waiting_for_manager(officer)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaStub]:
    """Lambda's API on loopback: it notes what is asked, and answers what the test says."""
    with lambda_stub(monkeypatch) as stub:
        yield stub


@pytest.fixture(autouse=True)
def _nothing_is_cached() -> None:
    caches_clear()


@pytest.fixture(autouse=True)
def stepped_up() -> Iterator[None]:
    """Let every session that a test opens have confirmed who it is, as a person does at first.

    Tests of that replace this fixture.
    """

    def confirm(request: Any, **_: Any) -> None:
        mark_stepped_up(request.session)

    user_logged_in.connect(confirm, weak=False)
    yield
    user_logged_in.disconnect(confirm)


@pytest.fixture(autouse=True)
def _database_owners_end_with_the_test() -> Iterator[None]:
    yield
    from workflows import db_threads  # noqa: PLC0415

    db_threads.close()


@pytest.fixture(autouse=True)
def _nothing_slow_under_a_lock(slow_work_watched: None) -> Iterator[None]:
    """Fail the test in which slow work ran while others had to wait for the database."""
    noted()
    yield
    found = noted()
    assert not found, "\n".join(found)
