import json
import os
import time
from pathlib import Path

import pytest
from typing_extensions import TypedDict

from plait.errors import DataError, PlaitError, RecipeError, RunError
from plait.files.reading import checked, made_of, parse_json, parse_yaml, read_bytes, read_json

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "more than 100,000 values"),
        ("a: &a [*a]", "stands within"),
        ("a: " + "[" * 5000 + "]" * 5000, "levels deep"),
        ("a: " + "{a: " * 3000 + "1" + "}" * 3000, "levels deep"),
        ("a: 0x" + "f" * 9000, "more than 64 bits"),
        ("a: 190:20:30" + ":59" * 3000, "more than 64 bits"),
        ("a: " + "9" * 6000, "4300 digits"),
        ("a: 2020-13-45", "month must be"),
        ("data: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("? [a, b]\n: x", "unhashable"),
        ("a: \0", "unacceptable character"),
        ("[" * 3, "expected"),
    ],
)
def test_yaml_that_is_no_recipe_is_refused_at_once(text: str, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(RecipeError, match=message) as caught:
        parse_yaml(text, "a.yaml")
    assert time.monotonic() - started < 5
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_aliases_that_a_person_writes_are_read() -> None:
    text = "base: &base {dim: 8}\nfusion: {<<: *base, rank: 2}\nsame: [*base, *base]"
    assert parse_yaml(text, "a")["fusion"] == {"dim": 8, "rank": 2}


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', "[" * 100_000, "9" * 5000, '{"a": ', "", b"\xff"])
def test_json_that_can_not_be_used_is_refused(text: str | bytes) -> None:
    with pytest.raises(DataError, match=r"a\.json: not JSON"):
        parse_json(text, "a.json")


def test_a_file_is_of_the_kind_that_is_expected(tmp_path: Path) -> None:
    class Picture(TypedDict):
        id: int
        names: list[str]

    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"id": 3, "names": ["x"]}]))
    assert read_json(path, list[Picture]) == [{"id": 3, "names": ["x"]}]
    for value, message in (({}, "expected a valid list"), ([{"id": 3}], "0.names is missing"), ([{"id": "x"}], "0.id")):
        path.write_text(json.dumps(value))
        with pytest.raises(RunError, match=message):
            read_json(path, list[Picture])
    with pytest.raises(PlaitError, match="at most 3 bytes"):
        read_bytes(path, most=3)


def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("pipe", ".", "loop", "x" * 300, "a\0b", "/dev/zero", "none"):
        with pytest.raises(DataError, match="expected a file|can't be read|no such file"):
            read_bytes(f"{tmp_path}/{name}" if name[0] != "/" else name)


class Box:
    """Something with options."""

    def __init__(self, size: int, names: list[str], share: float = 1.0) -> None:
        if size < 1:
            raise RecipeError("size: expected 1 or more")
        self.size, self.names, self.share = size, names, share


def test_constructors_say_what_a_runs_json_must_hold() -> None:
    assert made_of(Box, {"size": 3, "names": ["a"], "share": 2}, "box.json").share == 2
    for values, message in (
        ({"size": "3", "names": []}, "box.json: size: expected a valid integer, got '3'"),
        ({"size": 3}, "box.json: names is missing"),
        ({"size": 3, "names": ["a", None]}, "box.json: names.1: expected a valid string, got None"),
        ({"size": 3, "names": [], "evil": 1}, "box.json: evil is not known here"),
        ({"size": 0, "names": []}, "box.json: size: expected 1 or more"),
        ({"size": True, "names": []}, "box.json: size: expected a valid integer, got True"),
    ):
        with pytest.raises(RunError, match=f"^{message}$"):
            made_of(Box, values, "box.json")


def test_a_kind_is_checked_in_a_line() -> None:
    with pytest.raises(DataError, match=r"^a: b\.0: expected a valid number, got 'x'$"):
        checked({"b": ["x"]}, dict[str, list[float]], "a")
