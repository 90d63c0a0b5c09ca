"""Formats of captioned images: each, in its true form, reads to the same table."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from plait.checks.tables import check_recipe
from plait.data.formats import FORMATS
from plait.data.readers import open_table
from plait.errors import DataError
from plait.recipe import Recipe

NAMES = [f"{number:03}.jpg" for number in range(6)]
CAPTIONS = [f"a {word} thing on a {place}" for word in ("red", "blue") for place in ("table", "chair", "roof")]
ROWS = [(name, caption) for name, caption in zip(NAMES, CAPTIONS, strict=True)] + [(NAMES[0], "a second text of it")]


def picture(number: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((40, 40)).save(buffer, "JPEG")
    return buffer.getvalue()


def pictures(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(picture(number))
    return folder


def coco(folder: Path) -> str:
    pictures(folder / "train2017")
    (folder / "annotations").mkdir()
    path = folder / "annotations" / "captions_train2017.json"
    images = [{"id": 10 + n, "file_name": name, "height": 40, "width": 40} for n, name in enumerate(NAMES)]
    notes = [
        {"id": n, "image_id": 10 + NAMES.index(name), "caption": caption} for n, (name, caption) in enumerate(ROWS)
    ]
    path.write_text(json.dumps({"info": {}, "licenses": [], "images": images, "annotations": notes}))
    return str(path)


def karpathy(folder: Path) -> str:
    pictures(folder / "train2014")
    images = []
    for n, name in enumerate(NAMES):
        texts = [caption for other, caption in ROWS if other == name]
        sentences = [{"raw": text, "tokens": text.split(), "sentid": i, "imgid": n} for i, text in enumerate(texts)]
        split = ["train", "restval", "val", "test", "train", "train"][n]
        entry = {"filepath": "train2014", "filename": name, "imgid": n, "cocoid": 10 + n, "split": split}
        images.append({**entry, "sentids": [s["sentid"] for s in sentences], "sentences": sentences})
    path = folder / "dataset_coco.json"
    path.write_text(json.dumps({"images": images, "dataset": "coco"}))
    return str(path)


def flickr_token(folder: Path) -> str:
    pictures(folder / "flickr30k-images")
    path = folder / "results_20130124.token"
    path.write_text("".join(f"{name}#{n}\t{caption}\n" for n, (name, caption) in enumerate(ROWS)))
    return str(path)


def flickr_csv(folder: Path) -> str:
    pictures(folder / "images")
    path = folder / "results.csv"
    lines = ["image_name| comment_number| comment"] + [f"{name}| 0| {caption} " for name, caption in ROWS]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def flickr_annotations(folder: Path) -> str:
    pictures(folder / "images")
    path = folder / "flickr_annotations_30k.csv"
    texts = {name: [caption for other, caption in ROWS if other == name] for name in NAMES}
    frame = pd.DataFrame({"raw": [json.dumps(t) for t in texts.values()], "filename": list(texts)})
    frame.assign(sentids="[0]", split="train", img_id=range(len(frame))).to_csv(path, index=False)
    return str(path)


def open_clip_csv(folder: Path) -> str:
    pictures(folder / "some")
    path = folder / "train.csv"
    lines = ["filepath\ttitle"] + [f"some/{name}\t{caption}" for name, caption in ROWS]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def web_dataset(folder: Path) -> str:
    for shard, rows in enumerate((ROWS[:4], ROWS[4:])):
        with tarfile.open(folder / f"train-{shard:04}.tar", "w") as archive:
            for n, (name, caption) in enumerate(rows):
                parts = {"jpg": picture(NAMES.index(name)), "txt": caption.encode()}
                parts["json"] = json.dumps({"price": n, "url": None}).encode()
                for ending, data in parts.items():
                    info = tarfile.TarInfo(f"{shard}{n:05}.{ending}")
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    return str(folder / "train-{0000..0001}.tar")


def saved_dataset(folder: Path) -> str:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.Value("string")})
    rows = [{"image": {"bytes": picture(NAMES.index(name)), "path": None}, "caption": text} for name, text in ROWS]
    whole = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict({"train": whole.select(range(4)), "validation": whole.select(range(4, 7))}).save_to_disk(
        folder / "d"
    )
    return str(folder / "d")


MAKERS: dict[str, Callable[[Path], str]] = {
    "coco": coco,
    "karpathy": karpathy,
    "flickr_token": flickr_token,
    "flickr_csv": flickr_csv,
    "flickr_annotations": flickr_annotations,
    "open_clip_csv": open_clip_csv,
    "web_dataset": web_dataset,
    "saved_dataset": saved_dataset,
}


@pytest.fixture(params=MAKERS)
def captioned(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return MAKERS[request.param](tmp_path)


def contents(table: Any) -> set[tuple[bytes, str]]:
    image = "filepath" if "filepath" in table else "image"
    text = "title" if "title" in table else "caption"
    cells = zip(table.iterate(image), table.iterate(text), strict=True)
    return {(v if isinstance(v, bytes) else (table.root / v).read_bytes(), t) for v, t in cells}


def test_each_reads_to_the_same_rows(captioned: str) -> None:
    table = open_table(captioned)
    assert len(table) == len(ROWS)
    assert contents(table) == {(picture(NAMES.index(name)), caption) for name, caption in ROWS}


def test_each_is_checked(captioned: str) -> None:
    recipe = Recipe.parse({"data": {"train": captioned, "val": "none"}, "task": [{"type": "retrieval"}]})
    if "split" in open_table(captioned):
        recipe = recipe.updated({"data": {"split": "split", "val": None}})
    health = check_recipe(recipe)
    types = {column["name"]: column["modality"] for column in health.columns}
    assert "image" in types.values() and "text" in types.values()
    assert not [finding for finding in health.findings if finding.kind == "unusable_picture"]


def test_every_format_of_a_file_is_made_here() -> None:
    # A new one of captioned images needs a maker above; series have a test of their own.
    assert set(FORMATS) == {".json", ".token", ".tar", ".ts"}


def test_restval_trains_and_splits_are_named(tmp_path: Path) -> None:
    table = open_table(karpathy(tmp_path))
    assert table.cells("split", range(len(table))) == ["train", "train", "train", "val", "test", "train", "train"]
    (tmp_path / "hf").mkdir()
    saved = open_table(saved_dataset(tmp_path / "hf"))
    assert saved.cells("split", range(7)) == ["train"] * 4 + ["val"] * 3


def test_what_does_not_join_is_counted_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(coco(tmp_path))
    held = json.loads(path.read_text())
    held["annotations"].append({"id": 90, "image_id": 777, "caption": "of nothing"})
    held["images"].append({"id": 888, "file_name": "silent.jpg"})
    path.write_text(json.dumps(held))
    assert len(open_table(path)) == len(ROWS)
    said = " ".join(capsys.readouterr().err.split())
    assert "1 captions name an image that is not listed (such as 777)" in said
    assert "1 images have no caption (such as 888)" in said


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{", "not JSON"),
        ("a.json", '{"questions": []}', "annotations is missing"),
        ("a.json", '{"images": [{"file_name": "x"}], "annotations": []}', "images.0.id is missing"),
        ("a.json", '{"images": [{"id": 1, "file_name": "x.jpg"}], "annotations": [{"id": 1}]}', "no captions"),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "x.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a"}]}',
            "is not near",
        ),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "x.jpg"}], "annotations": [{"id": 1, "image_id": 2, "caption": "a"}]}',
            "among the images' ids, such as 2",
        ),
        ("a.json", '{"images": [{"split": "other", "filename": "a", "sentences": []}]}', "split 'other'"),
        ("a.token", "an image without a mark\n", "line 1: expected NAME.jpg#0"),
        ("a-{0..1}.tar", None, "no such shard"),
    ],
)
def test_files_that_are_wrong(name: str, content: str | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        open_table(tmp_path / name)


def test_a_shard_cut_off_in_the_middle(tmp_path: Path) -> None:
    web_dataset(tmp_path)
    shard = tmp_path / "train-0001.tar"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 3])
    with pytest.raises(DataError, match=r"train-0001\.tar: the shard is cut off or damaged after \d+ whole samples"):
        open_table(tmp_path / "train-{0000..0001}.tar")
