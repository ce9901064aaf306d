"""Finish the package that Zappa has packed: reproducible, compiled, small enough.

Zappa's package contains the hour, a random number and this machine's folders, so no two
packages are alike, and it is compiled when it is first imported, which is most of a cold
start. ``finish`` corrects both. The same sources and requirements, on the same Python, then
give the same bytes, and the same ``CodeSha256`` on AWS.
"""

import functools
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import click
from click import ClickException

MEGABYTE = 1024 * 1024
MOST_ZIPPED = 50 * MEGABYTE  # the largest upload that Lambda accepts in a request
MOST_UNZIPPED = 250 * MEGABYTE
UNPACKED_AT = "/var/task"  # the path on Lambda, which tracebacks show
LONG_AGO = (1980, 1, 1, 0, 0, 0)
READABLE = 0o100644
# Records of how a distribution was installed here; of no use on Lambda.
HOW_INSTALLED = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
PACKED_WHEN_AND_BY_WHOM = "package_info.json"
# Bytecode of another kind, and what bytecode, extensions and translations were made from.
SOURCES = frozenset({".pyc", ".c", ".pyx", ".pyi", ".po"})


def finish_after_packing(cli: Any) -> None:
    """Run ``finish`` whenever Zappa makes a package. ``cli`` is Zappa's own object."""
    original = cli.create_package

    @functools.wraps(original)
    def both(*args: Any, **more: Any) -> Any:
        made = original(*args, **more)
        click.echo(finish(Path(cli.zip_path)))
        return made

    cli.create_package = both


def finish(package: Path) -> str:
    """Rewrite a package in place and print its size.

    Raises ``ClickException`` when it is too large for Lambda, or cannot be compiled.
    """
    with tempfile.TemporaryDirectory(prefix="loanoffice-package-") as temporary:
        folder = Path(temporary)
        with zipfile.ZipFile(package) as packed:
            packed.extractall(folder, [name for name in packed.namelist() if is_wanted(name)])
        _compile(folder)
        unzipped = _pack(folder, package)
    zipped = package.stat().st_size
    sizes = f"{zipped / MEGABYTE:.1f} MB zipped, {unzipped / MEGABYTE:.1f} MB unzipped"
    if zipped > MOST_ZIPPED or unzipped > MOST_UNZIPPED:
        raise ClickException(
            f"The package is too large for Lambda: {sizes}. It takes {MOST_ZIPPED // MEGABYTE} MB "
            f"and {MOST_UNZIPPED // MEGABYTE} MB. Name what is not needed in exclude_glob."
        )
    return f"{package.name}: {sizes}."


def is_wanted(name: str) -> bool:
    """Return true when a file of Zappa's package stays in it."""
    path = PurePosixPath(name)
    if name == PACKED_WHEN_AND_BY_WHOM or path.suffix in SOURCES:
        return False
    if path.parent.suffix == ".dist-info" and path.name in HOW_INSTALLED:
        return False
    # Zappa makes a package of every folder, and collectstatic would publish what it adds.
    return not (path.suffix == ".py" and "static" in path.parent.parts)


def _compile(folder: Path) -> None:
    """Write bytecode beside every source, valid whatever the source's time is.

    One process with a fixed seed: bytecode depends on what was compiled before it.
    """
    words = ["-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    where = ["-s", str(folder), "-p", UNPACKED_AT, str(folder)]
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-I", *words, *where],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise ClickException(f"The package cannot be compiled:\n{ran.stdout}{ran.stderr}")


def _pack(folder: Path, package: Path) -> int:
    """Zip the folder; return the unpacked size in bytes."""
    unzipped = 0
    beside = package.with_suffix(".part")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in _files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), LONG_AGO)
            entry.create_system = 3  # Unix, for the permission bits
            entry.external_attr = READABLE << 16
            content = path.read_bytes()
            unzipped += len(content)
            packed.writestr(entry, content, zipfile.ZIP_DEFLATED)
    beside.replace(package)
    return unzipped


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))


if __name__ == "__main__":
    try:
        click.echo(finish(Path(sys.argv[1])))
    except ClickException as error:
        error.show()
        sys.exit(error.exit_code)
