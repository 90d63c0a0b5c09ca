"""Packages: downloaded once, unpacked in their folder."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from plait.datasets import packages
from plait.errors import DataError


def _npm(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> list[list[str]]:
    """An npm that packs some files."""
    calls: list[list[str]] = []

    def run(command: list[str], cwd: Path, **more: Any) -> None:
        calls.append(command)
        with tarfile.open(cwd / "made.tgz", "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_a_package_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path))
    calls = _npm(monkeypatch, {"package/a.json": b"{}"})
    folder = packages.npm_package("some", "1.0.0")
    assert (folder / "a.json").read_text() == "{}" and packages.npm_package("some", "1.0.0") == folder
    assert calls == [["npm", "pack", "--silent", "some@1.0.0"]]
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["npm-some-1.0.0"]


def test_a_package_can_not_write_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    _npm(monkeypatch, {"../../../../evil.txt": b"x"})
    with pytest.raises(DataError, match="gave no package"):
        packages.npm_package("bad", "1.0.0")
    assert not list(tmp_path.rglob("evil.txt")) and not list((tmp_path / "cache" / "packages").iterdir())


def test_what_is_not_here_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path))

    def absent(command: list[str], **more: Any) -> None:
        raise FileNotFoundError(2, "No such file", command[0])

    monkeypatch.setattr(subprocess, "run", absent)
    with pytest.raises(DataError, match="apt-get is not here.*apt-get install some-stamps"):
        packages.debian_package("some-stamps", "/nowhere/at/all")

    def offline(command: list[str], **more: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="npm error\nnpm error network is down\n")

    monkeypatch.setattr(subprocess, "run", offline)
    with pytest.raises(DataError, match="the download failed .npm error network is down"):
        packages.npm_package("some", "1.0.0")


def test_a_download_goes_elsewhere_where_the_cache_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "file"))

    def fetch(folder: Path) -> None:
        (folder / "unpacked").mkdir()

    found = packages._cached("a", "package a", "", fetch)
    assert found.is_dir() and packages._cached("a", "package a", "", fetch) == found
    assert capsys.readouterr().err.count("can't be written") == 1
