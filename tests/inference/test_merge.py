"""`plait merge`: a run without its adapters gives the same texts."""

import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from decoders.tiny import save_language_model
from plait.cli import app
from plait.errors import RecipeError, RunError
from plait.inference.generate import Writer
from plait.inference.merge import merge_run
from plait.predictor import Predictor

pytest.importorskip("peft")


def train(folder: Path, tune: str) -> tuple[Path, pd.DataFrame]:
    words = ["red", "green", "blue"]
    frame = pd.DataFrame(
        {
            "title": [f"what is number {n} like, a {words[n % 3]} one?" for n in range(36)],
            "caption": [f"a {words[n % 3]} thing" for n in range(36)],
        }
    )
    model = save_language_model(folder / "model", [*frame["title"], *frame["caption"]])
    Predictor(
        "caption",
        output=folder / "run",
        types={"title": "text"},
        task={"type": "generation", "max_length": 12},
        decoder={"method": str(model), "tune": tune, **({"rank": 4} if tune == "lora" else {})},
        generation={"max_length": 8},
        train={"epochs": 6, "batch_size": 8, "learning_rate": 0.03, "precision": "float32"},
        verbose=False,
    ).fit(frame)
    return folder / "run", frame


@pytest.mark.parametrize("tune", ["lora", "ia3"])
def test_a_merged_run_writes_the_same_without_adapters(
    tune: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, frame = train(tmp_path, tune)
    before = Predictor.load(run)
    adapters = [name for name, _ in before.model_.named_parameters() if tune in name]
    assert adapters and any(before.model_.get_parameter(name).abs().max() > 0.01 for name in adapters)
    result = CliRunner().invoke(app, ["merge", str(run), "-o", str(tmp_path / "merged")])
    assert result.exit_code == 0, result.output
    monkeypatch.setitem(sys.modules, "peft", None)  # what reads the merged run needs no adapters' library
    merged = Predictor.load(tmp_path / "merged")
    assert not any(tune in name for name, _ in merged.model_.named_parameters())
    assert merged.metrics_ == before.metrics_
    assert list(merged.predict(frame)) == list(before.predict(frame))
    row = {"title": frame["title"][0]}
    [(text, score)], [(same, close)] = (Writer(one).write(row) for one in (before, merged))
    assert text == same and score == pytest.approx(close, abs=1e-3)
    with pytest.raises(RecipeError, match="has adapters"):
        merge_run(tmp_path / "merged", tmp_path / "again")


def test_what_has_no_adapters_or_no_room_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"size": [n / 8 for n in range(40)], "big": ["no"] * 20 + ["yes"] * 20})
    Predictor("big", output=tmp_path / "run", train={"epochs": 1}, verbose=False).fit(frame)
    with pytest.raises(RecipeError, match="has adapters"):
        merge_run(tmp_path / "run", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    run, _ = train(tmp_path / "lm", "ia3")
    torch.manual_seed(0)
    with pytest.raises(RunError, match="holds"):
        merge_run(run, tmp_path / "run")
