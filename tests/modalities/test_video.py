"""What a cell of videos may hold, and how people see it."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakes import film, picture, tone
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError, EmptyValue
from plait.modalities import MODALITIES, Media
from plait.modalities.video import FrameList, is_video
from plait.processors.frames import Picks, read_clip

VIDEO = MODALITIES["video"]
av = pytest.importorskip("av")


def test_files_and_bytes_are_recognised() -> None:
    kinds = {"mkv": {}, "mp4": {"format": "mp4", "codec": "mpeg4", "pixel": "yuv420p"}}
    kinds["avi"] = {"format": "avi", "codec": "mpeg4", "pixel": "yuv420p"}
    for options in kinds.values():
        assert is_video(film(2, **options)[:32])
    assert not is_video(tone(0.1)[:32]) and not is_video(b"\0\0\0\x1cftypM4A \0\0")
    frame = pd.DataFrame({"a": [f"{n}.mp4" for n in range(20)], "b": [film(n % 5 + 1) for n in range(20)]})
    schema = infer_schema(Table.from_frame(frame))
    assert schema["a"].modality == schema["b"].modality == "video"


def test_a_list_of_images_is_a_set_unless_it_is_said_to_be_a_video(tmp_path: Path) -> None:
    for n in range(6):
        picture(tmp_path / f"{n}.png", "red", seed=n)
    table = tmp_path / "t.jsonl"
    table.write_text("".join(f'{{"x": ["{n}.png", "{(n + 1) % 6}.png"], "k": "a"}}\n' for n in range(6)))
    opened = open_table(table)
    assert infer_schema(opened)["x"].modality == "image"
    assert infer_schema(opened, {"x": "video"})["x"].modality == "video"
    cell = opened.cells("x", [5])[0]
    assert VIDEO.pieces(cell) == VIDEO.pieces("5.png;0.png") == [FrameList(("5.png", "0.png"))]
    one, other = (VIDEO.open(VIDEO.pieces(text)[0], Media(tmp_path)) for text in ("5.png;0.png", "0.png;5.png"))
    assert VIDEO.key(one) != VIDEO.key(other)  # order is part of what it holds
    assert read_clip(one.content, Picks(5)).count == 2
    with pytest.raises(DataError, match="leaves the table's folder"):
        VIDEO.open(FrameList(("../../etc/a.png", "0.png")), Media(tmp_path))


def test_a_folder_of_frames_is_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for n in (10, 2, 1):
        Image.new("RGB", (8, 8), (n, 0, 0)).save(
            (tmp_path / "clip").mkdir(exist_ok=True) or tmp_path / "clip" / f"f{n}.png"
        )
    opened = VIDEO.open(VIDEO.pieces("clip")[0], Media(tmp_path))
    assert [int(frame[0, 0, 0]) for frame in read_clip(opened.content, Picks(9)).frames] == [1, 2, 10]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected a video or a folder of images, found none"):
        VIDEO.open("empty", Media(tmp_path))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a.png").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="leaves the table's folder"):
        VIDEO.open("links", Media(tmp_path))


def test_arrays_of_frames_keep_their_order_without_loss() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 8, 6, 3), dtype=np.uint8)
    for cell in (frames, frames.transpose(0, 3, 1, 2)):
        table = Table.from_frame(pd.DataFrame({"x": pd.Series([cell, cell[::-1]] * 5, dtype=object)}))
        assert infer_schema(table)["x"].modality == "video"
        (piece,) = VIDEO.pieces(table.cells("x", [0])[0])
        np.testing.assert_array_equal(np.stack(read_clip(piece, Picks(9)).frames), frames)


def test_several_videos_of_a_cell_and_empty_ones() -> None:
    assert VIDEO.pieces("a.mp4; b.mp4") == ["a.mp4", "b.mp4"] and VIDEO.pieces("one.gif") == ["one.gif"]
    assert list(VIDEO.pieces(None)) == list(VIDEO.pieces("")) == []


def test_what_is_odd_is_said() -> None:
    whole = film(400, codec="libx264", pixel="yuv420p", size=64)
    odd = {
        "cut_video": whole[: len(whole) // 2],
        "one_frame": film(1),
        "fast_video": film(40, format="mp4", codec="libx264", pixel="yuv420p", rate=10_000),
    }
    for kind, data in odd.items():
        facts = VIDEO.look(VIDEO.open(data, Media(None)))
        assert facts.odd is not None and facts.odd.kind == kind
    assert VIDEO.look(VIDEO.open(film(9), Media(None))).odd is None


def test_near_copies_have_near_fingerprints() -> None:
    one, again, other = (
        VIDEO.look(VIDEO.open(film(30, size=64, codec=codec, pixel=pixel, start=start), Media(None))).fingerprint
        for codec, pixel, start in (("ffv1", "bgr0", 0), ("libx264", "yuv420p", 0), ("ffv1", "bgr0", 130))
    )
    assert one is not None and again is not None and other is not None
    assert (one ^ again).bit_count() <= 3


def test_it_is_played_with_its_sound() -> None:
    shown = VIDEO.show(VIDEO.open(film(20, size=64, sound=True), Media(None)), 120)
    assert shown.text == "2.0 s" and shown.image is not None and max(shown.image.size) <= 120
    assert shown.play is not None and shown.kind == "video/webm"
    data = shown.play()
    assert len(data) < 60_000
    with av.open(io.BytesIO(data)) as container:
        assert [stream.codec_context.name for stream in container.streams] in (["vp8", "opus"], ["libvpx", "libopus"])
    clip = read_clip(data, Picks(4))
    assert clip.heard and clip.seconds == pytest.approx(2.0, abs=0.15)


def test_a_video_without_sound_lacks_it() -> None:
    audio = MODALITIES["audio"]
    data = film(5, format="mp4", codec="mpeg4", pixel="yuv420p")
    with pytest.raises(EmptyValue, match="holds no sound"):
        audio.look(audio.open(data, Media(None)))


def test_frames_and_sound_of_one_column_are_two_inputs(tmp_path: Path) -> None:
    from plait import Predictor

    rows = []
    for n in range(24):
        data = film(6, start=80 * (n % 2), sound=n % 4 < 3, format="mp4", codec="libx264", pixel="yuv420p")
        (tmp_path / f"{n}.mp4").write_bytes(data)
        rows.append({"clip": f"{n}.mp4", "answer": "ab"[n % 2]})
    pd.DataFrame(rows).to_csv(tmp_path / "clips.csv", index=False)
    inputs = {
        "clip": {"widths": [4], "dim": 8, "size": 16},
        "clip:audio": {"column": "clip", "widths": [4]},
    }
    predictor = Predictor("answer", inputs=inputs, train={"device": "cpu", "epochs": 1}, output=tmp_path / "run")
    predictor.fit(tmp_path / "clips.csv")
    assert {n: s.modality for n, s in predictor.inputs_.items()} == {"clip": "video", "clip:audio": "audio"}
    again = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(
        predictor.predict_proba(tmp_path / "clips.csv"), again.predict_proba(tmp_path / "clips.csv"), atol=1e-6
    )
    assert "video/webm" in (tmp_path / "run" / "report.html").read_text()


def test_data_sets_folders_and_archives_of_videos(tmp_path: Path) -> None:
    for n in range(4):
        place = tmp_path / "folder" / "train" / "ab"[n % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{n}.mkv").write_bytes(film(3 + n))
    folder = open_table(tmp_path / "folder")
    assert infer_schema(folder)["video"].modality == "video" and set(folder.columns) >= {"video", "label"}
    with tarfile.open(tmp_path / "shard-0.tar", "w") as archive:
        for n in range(4):
            for suffix, data in (("mkv", film(3 + n)), ("txt", f"word {n}".encode())):
                entry = tarfile.TarInfo(f"{n}.{suffix}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    assert infer_schema(open_table(tmp_path / "shard-0.tar"))["video"].modality == "video"
    datasets = pytest.importorskip("datasets")
    files = sorted(str(path) for path in (tmp_path / "folder").rglob("*.mkv"))
    videos = datasets.Dataset.from_dict({"v": files}).cast_column("v", datasets.Video())
    table = open_table(videos)
    assert infer_schema(table)["v"].modality == "video"
    (piece,) = VIDEO.pieces(table.cells("v", [1])[0])
    assert VIDEO.look(VIDEO.open(piece, Media(table.root))).odd is None
