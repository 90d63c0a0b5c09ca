"""Tables and folders that a stranger made: what they name stays closed, and what is wrong with them is one line."""

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from plait.checks.health import check
from plait.data.formats.web_dataset import expand
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError, PlaitError
from plait.modalities.media import Media, open_file, resolve_media

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table's folder with an image, links that lead out, and a private image beside it."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "private.png")
    inside = tmp_path / "table"
    inside.mkdir()
    Image.new("RGB", (8, 8), "blue").save(inside / "a.png")
    (inside / "link.png").symlink_to(tmp_path / "private.png")
    (inside / "loop.png").symlink_to(inside / "loop.png")
    return inside


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


def test_a_saved_dataset_reads_no_file_outside_its_folder(tmp_path: Path, folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"photo": datasets.Image(decode=False)})
    for path in ("/etc/hosts", str(tmp_path / "private.png"), "../private.png", "link.png"):
        saved = tmp_path / f"set{len(path)}"
        made = datasets.Dataset.from_dict({"photo": [{"path": "a.png", "bytes": b"\x89PNG"}]}, features=features)
        made.save_to_disk(str(saved))
        (saved / "link.png").symlink_to(tmp_path / "private.png")
        arrow = next(saved.glob("*.arrow"))
        table = pa.table({"photo": pa.array([{"bytes": None, "path": path}], made.data.table.column(0).type)})
        with pa.OSFile(str(arrow), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        with pytest.raises(DataError, match="leaves the table's folder"):
            open_table(saved)


def test_metadata_of_a_picture_folder_names_files_in_it(folder: Path) -> None:
    (folder / "metadata.csv").write_text("file_name,text\na.png,x\n/etc/hosts,y\n../private.png,z\n,w\n")
    table = open_table(folder)
    assert table.cells("image", range(4)) == ["a.png", "/etc/hosts", "../private.png", None]
    found = check({"train": (table, np.arange(4))}, infer_schema(table, {"image": "image"}))
    assert [f.count for f in found.findings if f.kind == "unusable_picture"] == [2]
    (folder / "metadata.csv").write_text("file_name,image\na.png,x\n")
    with pytest.raises(DataError, match="column image beside file_name"):
        open_table(folder)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("pipe.csv", "x" * 300 + ".csv", "x" * 300 + ".tar", "a\0b.csv"):
        with pytest.raises(DataError):
            open_table(f"{tmp_path}/{name}")
    with pytest.raises(DataError, match="a pipe or a device"):
        open_table("/dev/null")


def test_a_pattern_names_a_bounded_number_of_shards() -> None:
    for pattern in ("{0..30000000}.tar", "{9..1}.tar", "{0.." + "9" * 99 + "}.tar", "{0..999}" * 3 + ".tar"):
        with pytest.raises(DataError, match="shards"):
            expand(pattern)


def test_whole_numbers_beyond_what_a_float_holds_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 9007199254740993, "m": 1}\n{"n": 1, "m": 2}\n{"n": ' + "9" * 400 + ', "m": 3}\n')
    table = open_table(path)
    assert table.cells("n", [0, 1]) == ["9007199254740993", "1"]
    assert table.cells("m", [0, 2]) == [1.0, 3.0]


def looked_at(path: Path) -> None:
    """Opens a table, types its columns and looks at every cell: whatever is wrong is a PlaitError."""
    try:
        table = open_table(path)
        check({"train": (table, np.arange(len(table)))}, infer_schema(table))
    except PlaitError as error:
        assert "\n" not in str(error)[:-1] or "\n" in path.name


VALUES = [
    None,
    "",
    0,
    -1,
    1.5,
    float("nan"),
    10**30,
    10**400,
    True,
    [],
    {},
    [None],
    {"a": None},
    "x" * 300,
    "/etc/passwd",
]
ODDITIES = ["a\0b", "\ud800", "<image>", ["a.png", 5], {"type": "image", "image": 5}, {"bytes": "zz"}, {"path": 3}]
EVIL = st.sampled_from([*VALUES, *ODDITIES])
JSONS = {
    "coco.json": {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"id": 1, "image_id": 1, "caption": "x"}],
    },
    "karpathy.json": {"images": [{"filename": "a.png", "split": "train", "cocoid": 1, "sentences": [{"raw": "x"}]}]},
    "results.json": [{"image_id": 1, "caption": "x"}, {"image_id": 2, "caption": "y"}],
    "chat.json": [{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}], "id": 5}],
    "llava.json": [{"image": "a.png", "conversations": [{"from": "gpt", "value": "<image> cat"}]}],
    "v2_questions.json": {"questions": [{"question_id": 1, "image_id": 1, "question": "what?"}]},
    "visdial.json": {
        "split": "val",
        "data": {
            "questions": ["is it"],
            "answers": ["yes"],
            "dialogs": [
                {"image_id": 1, "caption": "x", "dialog": [{"question": 0, "answer": 0, "answer_options": [0]}]}
            ],
        },
    },
}


def places(value: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every place in nested lists and dicts."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in items for place in places(item, (*at, key)))]


@QUICK
@given(data=st.data(), name=st.sampled_from(sorted(JSONS)))
def test_json_with_other_values_is_read_or_refused(folder: Path, data: st.DataObject, name: str) -> None:
    value = json.loads(json.dumps(JSONS[name]))
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from([place for place in places(value) if place]))
        inner = value
        for key in way:
            inner = inner[key]
        inner[last] = data.draw(EVIL)
    (folder / name).write_text(json.dumps(value))
    looked_at(folder / name)


FILES = {
    "t.csv": b'title,photo,n\n"some, text",a.png,1\nmore,a.png,2\n',
    "f.csv": b"image_name| comment_number| comment\na.png| 0| A red dog .\na.png| 1| B\n",
    "g.csv": b'raw,filename,split\n"[""a red"", ""b""]",a.png,train\n"[""x""]",a.png,test\n',
    "t.token": b"a.png#0\tA red dog .\na.png#1\tB .\n",
    "t.jsonl": b'{"title": "x", "tags": ["a"], "n": 3}\n{"title": "y", "n": 4.5}\n',
}


@QUICK
@given(data=st.data(), name=st.sampled_from(sorted(FILES)))
def test_files_with_other_bytes_are_read_or_refused(folder: Path, data: st.DataObject, name: str) -> None:
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.sampled_from([0, 1, 9]))] = data.draw(
            st.sampled_from([b"", b'"', b",", b"\n", b"\0", b"|", b"\t", b"\xff", b"[", b"9" * 50, b"{"])
        )
    (folder / name).write_bytes(content)
    looked_at(folder / name)


@QUICK
@given(
    members=st.lists(
        st.tuples(
            st.sampled_from(
                ["a.txt", "a.json", "b.cls", "a.png", "\udcff.txt", "../x.txt", "a", ".json", "x" * 200 + ".txt"]
            ),
            st.sampled_from([b"a cat", b"\xff\xfe", b'{"k": "\\ud800"}', b'{"image": 3, "k": [1]}', b"[" * 900, b""]),
        ),
        max_size=4,
    ),
    cut=st.integers(0, 3000),
)
def test_shards_with_other_members_are_read_or_refused(
    folder: Path, members: list[tuple[str, bytes]], cut: int
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", encoding="utf-8", errors="surrogateescape") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (folder / "a.tar").write_bytes(buffer.getvalue()[: cut or None])
    looked_at(folder / "a.tar")


def test_frames_with_numbers_of_many_digits_become_text() -> None:
    assert open_table(pd.DataFrame({"n": [10**30, 1]})).cells("n", [0]) == [str(10**30)]


def test_parquet_types_that_python_can_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    for column in (pa.array([0], pa.timestamp("ns", "Mars/Phobos")), pa.array([2**55], pa.date64())):
        pq.write_table(pa.table({"when": column}), path)
        with pytest.raises(DataError, match="row 1, column 'when': this .* lies outside of what can be read"):
            open_table(path).cells("when", [0])
    pq.write_table(
        pa.table({"a": pa.array(["x"], pa.string_view()), "day": pa.array([0], pa.timestamp("s", "UTC"))}), path
    )
    table = open_table(path)
    assert table.cells("a", [0]) == ["x"] and table.cells("day", [0])[0].year == 1970


def test_a_cell_that_is_no_picture_is_not_taken_for_missing(folder: Path) -> None:
    table = Table(pa.table({"photo": [{"x": 1}]}), folder, "t")
    found = check({"train": (table, np.arange(1))}, infer_schema(table, {"photo": "image"}))
    assert "unusable_picture" in [finding.kind for finding in found.findings]


def test_images_without_a_caption_may_have_ids_of_several_kinds(folder: Path) -> None:
    """Found by the fuzzer: they were sorted to be told."""
    images = [{"id": identity, "file_name": "a.png"} for identity in (1, "two", 3)]
    (folder / "coco.json").write_text(
        json.dumps({"images": images, "annotations": [{"image_id": 3, "id": 9, "caption": "a blue square"}]})
    )
    assert open_table(folder / "coco.json").cells("caption", [0]) == ["a blue square"]


def test_a_list_of_captions_with_a_quote_in_a_name(folder: Path) -> None:
    """Found by the fuzzer."""
    (folder / "results.csv").write_text('image_name| comment_number|"comment\na.png| 0| a blue "square\n')
    with pytest.raises(DataError, match=r"expected the columns image_name and comment|the table is damaged"):
        open_table(folder / "results.csv")
