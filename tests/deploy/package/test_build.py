"""The package is reproducible, compiled, small enough, and contains nothing superfluous."""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click import ClickException

from deploy import package as packing
from tests.deploy.package.build import build

pytestmark = pytest.mark.deploy


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_build_in_another_folder_gives_the_same_bytes(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = build(tmp_path / "another-checkout")
    with capsys.disabled():
        sys.stdout.write(f"\n{sha256(package)}  one\n{sha256(other)}  the other\n")
    assert sha256(other) == sha256(package)


def test_a_finished_package_stays_as_it_is(package: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    again.write_bytes(package.read_bytes())
    packing.finish(again)
    assert sha256(again) == sha256(package)


def test_the_package_is_as_small_as_lambda_wants_it(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(package) as packed:
        unzipped = sum(entry.file_size for entry in packed.infolist())
    zipped = package.stat().st_size
    with capsys.disabled():
        sys.stdout.write(f"\n{zipped / 2**20:.1f} MB zipped, {unzipped / 2**20:.1f} MB unzipped\n")
    assert zipped < 50 * 2**20
    assert unzipped < 250 * 2**20


def test_every_source_has_its_bytecode_which_is_not_checked_against_it(unpacked: Path) -> None:
    sources = [path for path in unpacked.rglob("*.py") if "__pycache__" not in path.parts]
    assert len(sources) > 1000
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source)))
        head = compiled.read_bytes()[:16]
        assert head[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(head[4:8], "little") == 0b01  # by hash, and not checked
        assert head[8:] == importlib.util.source_hash(source.read_bytes())


def test_nothing_of_this_machine_is_in_the_package(package: Path, unpacked: Path) -> None:
    folders = [str(package.parent).encode(), str(Path(packing.__file__).parents[1]).encode()]
    found = [
        path.relative_to(unpacked)
        for path in unpacked.rglob("*")
        if path.is_file() and any(folder in path.read_bytes() for folder in folders)
    ]
    assert found == []


def test_the_package_has_the_product_and_neither_tests_nor_tools(package: Path) -> None:
    names = set(zipfile.ZipFile(package).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {
        "applications",
        "reviews",
        "workflows",
        "webhooks",
        "functions",
        "loanoffice",
        "handler.py",
    } <= tops
    assert not tops & {
        "tests",
        "docs",
        "benchmarks",
        "deploy",
        "devtools",
        "var",
        "requirements",
        "pip",
    }
    assert not any(name.startswith((".", "functions/local")) for name in names)
    assert "applications/fonts" in {str(Path(name).parent) for name in names}
    assert not any("/static/" in name and name.endswith((".py", ".pyc")) for name in names)


def test_a_package_that_lambda_would_not_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = tmp_path / "big.zip"
    with zipfile.ZipFile(big, "w") as packed:
        packed.writestr("big", b"0" * 2**20)
    monkeypatch.setattr(packing, "MOST_UNZIPPED", 2**20 - 1)
    with pytest.raises(ClickException, match="too large for Lambda"):
        packing.finish(big)


def test_a_package_that_cannot_be_compiled_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(broken, "w") as packed:
        packed.writestr("broken.py", "def (")
    with pytest.raises(ClickException, match=r"cannot be compiled(.|\n)*broken\.py"):
        packing.finish(broken)


def test_zappa_finishes_whatever_it_packs(tmp_path: Path) -> None:
    class Cli:
        zip_path = ""

        def create_package(self, output: str) -> None:
            self.zip_path = output
            with zipfile.ZipFile(output, "w") as packed:
                packed.writestr("package_info.json", "{}")
                packed.writestr("module.py", "")

    cli = Cli()
    packing.finish_after_packing(cli)
    cli.create_package(str(tmp_path / "x.zip"))
    names = zipfile.ZipFile(cli.zip_path).namelist()
    assert "package_info.json" not in names
    assert any(name.startswith("__pycache__/module.") for name in names)
    assert subprocess.run(["unzip", "-tq", cli.zip_path], check=False).returncode == 0
