"""Slow work that ``outside_calls`` notes, and slow work that it lets pass."""

import pytest
from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.mail import send_mail
from django.db import transaction

from tests.outside_calls import noted
from workflows.db_threads import run_in_db_thread


def _slow_work() -> None:
    default_storage.delete("nothing")
    make_password("secret")
    send_mail("Subject", "Text", None, ["somebody@example.com"])


def test_slow_work_in_a_transaction_is_noted_with_who_called_it(db: None) -> None:
    with transaction.atomic(savepoint=False):
        _slow_work()
    found = noted()
    assert [" ".join(each.split()[:4]) for each in found] == [
        "django.core.files.storage.filesystem.FileSystemStorage.delete ran in a",
        "django.contrib.auth.hashers.MD5PasswordHasher.encode ran in a",
        "django.core.mail.backends.locmem.EmailBackend.send_messages ran in a",
    ]
    assert all("tests/test_outside_calls.py" in each for each in found)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_slow_work_on_an_owner_of_a_connection_is_noted() -> None:
    run_in_db_thread(lambda: default_storage.delete("nothing"))
    (found,) = noted()
    assert "on a thread that owns a connection" in found


def test_slow_work_in_the_transaction_of_a_test_only_is_not_noted(db: None) -> None:
    path = default_storage.save("some", ContentFile(b"thing"))
    _slow_work()
    default_storage.delete(path)
    assert noted() == []
