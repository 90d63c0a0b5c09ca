"""What takes minutes: `make test-slow`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import colour_table

pytestmark = pytest.mark.slow


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """torchrun with two processes: each sees half of the batches, one writes, both end with the same weights."""
    table = colour_table(tmp_path, rows=80)
    options = ["train.epochs=2", "train.device=cpu", "train.precision=float32", "train.batch_size=8"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29765"]
    run = tmp_path / "run"
    done = subprocess.run(
        [*launch, "-m", "plait", "train", table, "-t", "answer", "-o", run, *options],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("report: ") == 1
    assert len(pd.read_parquet(run / "predictions.parquet")) == 8
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {line.get("step") for line in log if "step" in line} == {1, 4}  # 72 rows, 9 batches, 4 a process


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    from benchmarks.memory import make_pictures, make_table, peak

    make_pictures(tmp_path)
    small, large = (peak(make_table(tmp_path, rows), tmp_path, steps=50) for rows in (10_000, 1_000_000))
    assert large - small < 250e6  # a million rows of a hundred bytes; Python objects would take a gigabyte


def test_the_demo_keeps_its_promise(tmp_path: Path) -> None:
    pytest.importorskip("easy_vqa")
    from plait.demo import run_demo

    accuracy = run_demo(tmp_path / "demo", verbose=False)
    assert accuracy["both"] >= 0.99 and 0.6 < accuracy["question"] < 0.7 and 0.3 < accuracy["image"] < 0.45
    assert json.loads((tmp_path / "demo" / "demo.json").read_text()) == accuracy
    assert np.isfinite(list(accuracy.values())).all() and (tmp_path / "demo" / "report.html").stat().st_size > 20_000
