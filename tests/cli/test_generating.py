"""`plait generate` and `plait chat`."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plait.cli import app, generating
from plait.errors import DataError


def test_a_chat_tells_what_was_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Told:
        inputs = {"image": "image", "history": "text", "question": "text"}
        asked = "question"

        def write(self, values: dict[str, Any], told: Any) -> list[tuple[str, float]]:
            asked.append(values)
            return [("yes", 0.0)]

    monkeypatch.setattr("sys.stdin", iter(["is it red?\n", "and round?\n", "\n"]))
    generating._chat(Told(), {"image": "a.png"})
    assert asked == [
        {"image": "a.png", "question": "is it red?"},
        {"image": "a.png", "history": "is it red? yes.", "question": "and round?"},
    ]


def test_options_of_tables_need_one(tmp_path: Path) -> None:
    for typed in (["-o", "t.csv"], ["--on-error", "skip"], ["--delimiter", ";"]):
        ended = CliRunner().invoke(app, ["generate", str(tmp_path), "--image", "a.png", *typed])
        assert isinstance(ended.exception, DataError) and "belongs to --table" in str(ended.exception)
