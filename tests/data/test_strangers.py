"""Tables and folders that a stranger made: what they name stays closed, and what is wrong with them is one line."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.checks.health import check
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.errors import PlaitError

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


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
