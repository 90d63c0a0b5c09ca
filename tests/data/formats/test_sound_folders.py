"""Sounds as people keep them: folders, shards, Hugging Face's datasets."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from fakes import tone
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.modalities import AUDIO, Media


def test_a_folder_of_labels(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("dog", "cat"):
            (tmp_path / split / label).mkdir(parents=True)
            (tmp_path / split / label / "a.wav").write_bytes(tone(0.1))
    table = open_table(tmp_path)
    assert table.columns == ["audio", "label", "split"] and len(table) == 4
    assert infer_schema(table)["audio"].modality == "audio"


def test_a_folder_with_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(tone(0.1, kind="FLAC"))
    (tmp_path / "metadata.csv").write_text("file_name,transcription\na.flac,hello\n")
    assert open_table(tmp_path).cells("audio", [0]) == ["a.flac"]


def test_shards_of_sounds_and_pictures(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for key, seconds in (("x", 0.1), ("y", 0.2)):
            for ending, data in (("wav", tone(seconds)), ("txt", b"a tone")):
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    table = open_table(tmp_path / "a.tar")
    assert table.columns == ["key", "audio", "caption"] and table.cells("audio", [1]) == [tone(0.2)]
    assert infer_schema(table)["audio"].modality == "audio"


def test_datasets_audio_of_files_and_arrays(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    (tmp_path / "a.wav").write_bytes(tone(0.1))
    rows = [{"path": None, "bytes": tone(0.2)}, {"path": str(tmp_path / "a.wav"), "bytes": None}]
    kinds = datasets.ClassLabel(names=["no", "yes"])
    dataset = datasets.Dataset.from_dict({"sound": rows, "label": [0, 1]}).cast_column("sound", datasets.Audio())
    table = open_table(dataset.cast_column("label", kinds))
    assert infer_schema(table)["sound"].modality == "audio" and table.cells("label", [0, 1]) == ["no", "yes"]
    seconds = []
    for cell in table.cells("sound", [0, 1]):
        opened = AUDIO.open(AUDIO.pieces(cell)[0], Media(None))
        seconds.append(AUDIO.show(opened, 40).text)
    assert seconds == ["0.2 s", "0.1 s"]
    plain = [{"sound": {"array": np.zeros(800, np.float32), "sampling_rate": 8_000}, "label": n} for n in range(2)]
    assert infer_schema(open_table(plain), {"sound": "audio"})["sound"].missing == 0
