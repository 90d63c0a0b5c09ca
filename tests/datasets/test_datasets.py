"""Data sets of packages, on tiny folders of the packages' shape; the real ones where they are installed."""

import io
import json
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from fakes import picture
from plait.data.readers import open_table
from plait.datasets import DATASETS, get_dataset, packages
from plait.datasets.drawings import write_drawings
from plait.datasets.emoji import write_emoji
from plait.datasets.openclipart import write_openclipart
from plait.datasets.scenes import write_scenes
from plait.datasets.tuxpaint import write_tuxpaint
from plait.errors import DataError, RunError


def test_stamps_with_captions_become_rows(tmp_path: Path) -> None:
    stamps = tmp_path / "stamps"
    for name, text in (
        ("animals/birds/toucan", "A toucan.\nfr.utf8=Un toucan.\n"),
        ("animals/birds/toucan_mirror", "A toucan."),
        ("food/pear", "A green pear, \u201cripe\u201d.\n"),
        ("food/nameless", ""),
    ):
        picture(stamps / f"{name}.png", "red")
        (stamps / f"{name}.txt").write_text(text, encoding="utf-8")
    picture(stamps / "space" / "moon.png", "blue")  # no caption at all
    (table,) = write_tuxpaint(tmp_path / "out", stamps)
    frame = pd.read_csv(table)
    assert frame["caption"].tolist() == ["A toucan.", "A green pear, \u201cripe\u201d."]
    assert frame["kind"].tolist() == ["animals", "food"] and frame["group"][0] == "animals/birds"
    assert all((tmp_path / "out" / name).exists() for name in frame["picture"])
    assert open_table(table).columns == ["picture", "caption", "kind", "group"]


def test_emoji_pictures_meet_their_names(tmp_path: Path) -> None:
    pictures, names = tmp_path / "p", tmp_path / "n"
    listed = [
        {"unified": "2764-FE0F", "image": "2764-fe0f.png", "category": "Smileys", "subcategory": "heart"},
        {"unified": "1F600", "image": "1f600.png", "category": "Smileys", "subcategory": "face"},
        {"unified": "1F9FF", "image": "gone.png", "category": "Objects", "subcategory": "other"},
    ]
    data = [{"hexcode": "2764", "label": "red heart", "tags": ["love", "red"]}, {"hexcode": "1F9FF", "label": "amulet"}]
    picture(pictures / "img" / "google" / "64" / "2764-fe0f.png", "red")
    picture(pictures / "img" / "google" / "64" / "1f600.png", "green")
    (pictures / "emoji.json").write_text(json.dumps(listed))
    (names / "en").mkdir(parents=True)
    (names / "en" / "data.json").write_text(json.dumps(data))
    (table,) = write_emoji(tmp_path / "out", pictures, names)
    assert pd.read_csv(table).to_dict("records") == [
        {
            "picture": "pictures/2764-fe0f.png",
            "name": "red heart",
            "tags": "love;red",
            "group": "Smileys",
            "subgroup": "heart",
        }
    ]


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


def test_names_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown data set 'tuxpant'.*tuxpaint"):
        get_dataset("tuxpant", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="can't be written"):
        get_dataset("easy-vqa", tmp_path / "file" / "under")
    assert all(entry.licence and entry.package for entry in DATASETS.values())


def test_easy_vqa(tmp_path: Path) -> None:
    pytest.importorskip("easy_vqa")
    train, test = get_dataset("easy-vqa", tmp_path)
    assert len(pd.read_csv(train)) == 38_575 and len(pd.read_csv(test)) == 9_673
    assert get_dataset("easy-vqa", tmp_path) == [train, test]


def _drawing(title: str, words: list[str]) -> str:
    listed = "".join(f"<rdf:li>{word}</rdf:li>" for word in words)
    described = f"<dc:title>{title}</dc:title><dc:subject><rdf:Bag>{listed}</rdf:Bag></dc:subject>"
    return f"<svg><metadata><rdf:RDF>{described}<dc:publisher><dc:title>Open Clip Art Library</dc:title></dc:publisher></rdf:RDF></metadata><path d='M0'/></svg>"


def test_clip_art_is_described_by_its_drawing(tmp_path: Path) -> None:
    for name, text in {
        "animals/birds/owl": _drawing("An owl &amp; a mouse", ["bird", "night; dark"]),
        "animals/silent": "<svg></svg>",
        "shapes/stars/star": _drawing("gramastar", ["star"]),
        "computer/icons/flat-theme/x": _drawing("icon", []),
    }.items():
        for kind, ending in (("png", "png"), ("svg", "svg")):
            path = tmp_path / kind / f"{name}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        picture(tmp_path / "png" / f"{name}.png", "red")
    frame = pd.read_csv(write_openclipart(tmp_path / "out", tmp_path / "png", tmp_path / "svg")[0])
    assert frame.to_dict("records") == [
        {
            "picture": "pictures/animals/birds/owl.png",
            "title": "An owl & a mouse",
            "keywords": "bird;night, dark",
            "kind": "animals",
            "group": "animals/birds",
        }
    ]
    assert (tmp_path / "out" / "pictures" / "animals" / "birds" / "owl.png").exists()


def test_drawings_are_tested_on_stamps_that_nobody_learned_from(tmp_path: Path) -> None:
    sources = []
    for name, columns in {
        "emoji": {"name": ["frog", "Cat 3", "boat"], "tags": ["a;b", "", ""]},
        "openclipart": {"title": ["owl"], "keywords": [""]},
        "tuxpaint": {"caption": [f"cat {n}" for n in range(230)] + ["a dog", "a dog"]},
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        frame = pd.DataFrame(columns)
        frame.insert(0, "picture", [f"pictures/{n}.png" for n in range(len(frame))])
        frame.to_csv(folder / f"{name}.csv", index=False)
        sources.append(folder)
    train, test = (pd.read_csv(path) for path in write_drawings(tmp_path, tuple(sources)))
    assert len(test) == 200 and set(test["source"]) == {"tuxpaint"}
    assert not set(test["picture"]) & set(train["picture"])
    assert not {c.casefold() for c in test["caption"]} & {c.casefold() for c in train["caption"]}
    assert "a dog" not in set(test["caption"])  # it comes twice: which of the two would be found?
    assert train.groupby("source")["repeat"].first().to_dict() == {"emoji": 1, "openclipart": 1, "tuxpaint": 4}
    assert train["picture"][0] == "emoji/pictures/0.png"


def test_dialogs_about_scenes_need_their_history(tmp_path: Path) -> None:
    train, test = write_scenes(tmp_path, seed=1, images={"train": 60, "test": 20})
    frame = pd.concat([pd.read_csv(train), pd.read_csv(test)])
    assert len(frame) == 240 and set(frame.groupby("image")["turn"].apply(tuple)) == {(1, 2, 3)}
    assert frame.loc[frame["turn"] == 1, "history"].isna().all()
    for _, turns in frame.groupby("image"):
        first, second, third = turns.to_dict("records")
        assert second["history"] == f"{first['question']} {first['answer']}."
        assert third["history"] == f"{second['history']}\n{second['question']} {second['answer']}."
    later = frame[frame["turn"] > 1]
    assert later["question"].nunique() == 2 and later.groupby("question")["answer"].nunique().min() >= 4
    with Image.open(tmp_path / frame["image"].iloc[0]) as picture:
        assert picture.size == (48, 48) and len(picture.getcolors()) >= 3
    again = write_scenes(tmp_path / "again", seed=1, images={"train": 60, "test": 20})
    assert again[0].read_text() == train.read_text()


def test_a_table_of_the_users_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("my,own\n")
    with pytest.raises(RunError, match=r"train\.csv: there is another table of that name"):
        write_scenes(tmp_path, images={"train": 2})
    assert (tmp_path / "train.csv").read_text() == "my,own\n"
    write_scenes(tmp_path / "twice", images={"train": 2})
    write_scenes(tmp_path / "twice", images={"train": 2})  # the same again is no other table


def test_a_data_set_that_can_not_be_had_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: Path) -> list[Path]:
        picture(folder / "pictures" / "a.png", "red")
        raise DataError("the download failed")

    monkeypatch.setitem(DATASETS, "emoji", replace(DATASETS["emoji"], write=fails))
    with pytest.raises(DataError, match="the download failed"):
        get_dataset("emoji", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


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


def test_the_demo_removes_no_folder_but_its_own(tmp_path: Path) -> None:
    from plait.cli.demo import _remove_run

    picture(tmp_path / "image" / "mine.png", "red")
    with pytest.raises(RunError, match="holds something that is no run"):
        _remove_run(tmp_path / "image")
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "recipe.yaml").write_text("")
    _remove_run(tmp_path / "both")
    assert [path.name for path in tmp_path.iterdir()] == ["image"]
