"""Media stay in their table's folder."""

from pathlib import Path

import pytest

from plait.errors import DataError
from plait.modalities.media import Media, open_file, resolve_media


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("value", ["../secret.png", "/etc/passwd", "a/../../b.png"])
def test_paths_stay_in_the_folder(tmp_path: Path, value: str) -> None:
    with pytest.raises(DataError, match="leaves the table's folder"):
        resolve_media(tmp_path, value)
    assert resolve_media(tmp_path, value, allow_outside=True)


def test_links_out_of_the_folder_and_urls_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    write(tmp_path / "secret.png", "x")
    (tmp_path / "inside" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match="leaves the table's folder"):
        resolve_media(tmp_path / "inside", "link.png")
    with pytest.raises(DataError, match="got a URL"):
        resolve_media(tmp_path, "https://example.org/a.png")


@pytest.mark.parametrize(
    "name", ["../private.png", "link.png", "loop.png", "/etc/hosts", "x\0y", "\ud800", "http://x/a.png"]
)
def test_no_path_leads_out_of_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(DataError) as caught:
        resolve_media(folder, name)
    assert "\n" not in str(caught.value)
    assert resolve_media(folder, "a.png") == folder / "a.png"


def test_a_media_cell_is_a_path_or_bytes(folder: Path) -> None:
    media = Media(folder)
    assert open_file(b"\x89PNG", media, 100).content == b"\x89PNG"
    for value in (5, None, 1.5):
        with pytest.raises(DataError, match="expected a path"):
            open_file(value, media, 100)
