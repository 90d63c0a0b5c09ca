"""Where what can be had again is kept."""

from pathlib import Path

import pytest

from plait.features.store import features_folder
from plait.files.cache import stand_in


def test_what_stands_in_for_a_cache_is_had_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "none"))
    assert features_folder() == tmp_path / "none" / "features"
    assert stand_in("features") == features_folder() and features_folder().is_dir()
    assert stand_in("features") is None  # it is what can't be written
