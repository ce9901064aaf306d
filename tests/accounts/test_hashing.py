"""Passwords are hashed a few at a time; who cannot wait is told when to try again."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.contrib.auth.models import User
from django.test import Client

from accounts import hashers
from accounts.errors import HashingBusy
from accounts.hashers import Bound
from loanoffice.settings import base
from tests.accounts.conftest import is_signed_in, sign_in


class Work:
    """Hashing that lasts until a test lets it end, and knows how many are at it."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.may_end = threading.Event()
        self.began = threading.Semaphore(0)

    def do(self, bound: Bound) -> bool:
        try:
            with bound.turn():
                with self.lock:
                    self.now += 1
                    self.most = max(self.most, self.now)
                self.began.release()
                assert self.may_end.wait(30)
                with self.lock:
                    self.now -= 1
        except HashingBusy:
            return False
        return True


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.may_end.set()


def test_no_more_than_the_bound_are_at_work_and_the_others_wait_for_them(work: Work) -> None:
    bound = Bound(at_once=2, waiting=10, seconds=30)
    with ThreadPoolExecutor(12) as pool:
        tries = [pool.submit(work.do, bound) for _ in range(12)]
        for _ in range(2):
            assert work.began.acquire(timeout=30)
        work.may_end.set()
        assert [tried.result() for tried in tries] == [True] * 12

    assert work.most <= 2


def test_beyond_those_who_may_wait_the_rest_is_refused_at_once(work: Work) -> None:
    bound = Bound(at_once=1, waiting=0, seconds=30)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(work.do, bound)
        assert work.began.acquire(timeout=30)

        assert not work.do(bound)
        work.may_end.set()
        assert first.result()

    assert work.do(bound)  # the refusal has kept no place


def test_wait_ends_and_gives_its_place_back(work: Work) -> None:
    bound = Bound(at_once=1, waiting=1, seconds=0.01)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(work.do, bound)
        assert work.began.acquire(timeout=30)

        assert [work.do(bound) for _ in range(3)] == [False] * 3
        work.may_end.set()
        assert first.result()

    assert work.do(bound)


def test_hashes_are_those_of_django(settings: object) -> None:
    settings.PASSWORD_HASHERS = ["accounts.hashers.BoundedPBKDF2Hasher"]
    before = PBKDF2PasswordHasher().encode("a long password", "salt", 1000)

    assert check_password("a long password", before)
    assert not check_password("another password", before)
    assert make_password("a long password").startswith("pbkdf2_sha256$")


@pytest.fixture
def busy(settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody is hashing, and nobody may wait."""
    bound = Bound(at_once=1, waiting=0, seconds=0)
    monkeypatch.setattr(hashers, "BOUND", bound)
    settings.PASSWORD_HASHERS = ["accounts.hashers.BoundedPBKDF2Hasher"]
    with bound.turn():
        yield


@pytest.mark.django_db
@pytest.mark.parametrize("username", ["manager", "nobody"])
def test_sign_in_that_cannot_wait_is_told_when_to_come_back_and_counts_for_nothing(
    manager: User, busy: None, username: str
) -> None:
    client = Client()

    answer = sign_in(client, username)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "does not count as a failed sign-in" in answer.content.decode()
    assert not AccessAttempt.objects.exists()
    assert not is_signed_in(client)


def test_settings_of_an_office_use_it() -> None:
    assert base.PASSWORD_HASHERS == ["accounts.hashers.BoundedPBKDF2Hasher"]
    assert base.LOANOFFICE_HASHES_AT_ONCE >= 1
