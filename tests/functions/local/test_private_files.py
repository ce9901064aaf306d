"""Credentials and data of a laptop are readable for their owner only."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from functions.local.credentials import FILE, credentials_make, credentials_read
from functions.local.private_files import private_folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_credentials_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    assert credentials_read(tmp_path) is None
    made = credentials_make(tmp_path)
    assert len(made.secret_key) == 64
    assert credentials_make(tmp_path) == credentials_read(tmp_path) == made
    assert mode(tmp_path / FILE) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_processes_that_make_credentials_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: credentials_make(tmp_path), range(8)))
    assert made == {credentials_read(tmp_path)}


@pytest.mark.parametrize("text", ["", "[]", "null", json.dumps({"access_key": "local"})])
def test_file_that_holds_something_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match=FILE):
        credentials_read(tmp_path)


def test_new_folder_is_private(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700


def test_folder_that_others_could_read_is_closed_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "mail").mkdir(parents=True, mode=0o755)
    folder.chmod(0o755)
    (folder / "mail" / "1.log").write_text("secret")
    (folder / "mail" / "1.log").chmod(0o644)
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    (folder / "link").symlink_to(outside)
    private_folder(folder)
    assert mode(folder) == mode(folder / "mail") == 0o700
    assert mode(folder / "mail" / "1.log") == 0o600
    assert mode(outside) == 0o644


def test_file_in_a_private_folder_is_closed_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "loanoffice.sqlite3").touch(mode=0o644)
    private_folder(folder)
    assert mode(folder / "loanoffice.sqlite3") == 0o600


def test_shared_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(PermissionError, match="choose a folder of your own"):
        private_folder(folder)
    assert mode(folder) == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir(mode=0o755)
    os.chown(folder, 65534, -1)
    with pytest.raises(PermissionError):
        private_folder(folder)
