"""Questions about shapes."""

from pathlib import Path

import pandas as pd
import pytest

from plait.datasets import get_dataset


def test_easy_vqa(tmp_path: Path) -> None:
    pytest.importorskip("easy_vqa")
    train, test = get_dataset("easy-vqa", tmp_path)
    assert len(pd.read_csv(train)) == 38_575 and len(pd.read_csv(test)) == 9_673
    assert get_dataset("easy-vqa", tmp_path) == [train, test]
