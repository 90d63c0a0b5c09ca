"""What must hold on a CUDA device: `python -m benchmarks gpu` runs it; PLAIT_TEST_DEVICE=cpu tries it on a CPU."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fakes import colour_table
from plait import Predictor
from plait.training.checkpoint import load_tensors
from plait.training.loop import Interrupted

DEVICE = os.environ.get("PLAIT_TEST_DEVICE", "cuda")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts; sums then have one order
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_table(tmp_path_factory.mktemp("colours"), rows=120)


def predictor(output: Path, **train: object) -> Predictor:
    settings = {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "device": DEVICE, "workers": 2, **train}
    return Predictor("answer", output=output, train=settings, verbose=False)


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
def test_it_trains_and_predicts_there_as_on_a_cpu(table: Path, tmp_path: Path, precision: str) -> None:
    made = predictor(tmp_path / "run", precision=precision).fit(table)
    assert made.model_.device.type == DEVICE
    losses = [float(record["loss"]) for record in _log(tmp_path / "run") if "best" in record]
    assert losses[-1] < losses[0]
    there = made.predict_proba(table)
    here = Predictor.load(tmp_path / "run", device="cpu").predict_proba(table)
    np.testing.assert_allclose(there, here, atol=0.05 if made.recipe_.train.precision != "float32" else 1e-3)


@pytest.fixture
def one_order() -> Iterator[None]:
    """Sums on a GPU come in any order unless it is asked for one."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("one_order")
def test_a_resumed_run_ends_as_an_uninterrupted_one_bit_by_bit(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predictor(tmp_path / "whole", precision="float32").fit(table)
    true = torch.optim.AdamW.step
    steps = 0

    def stop(self: torch.optim.AdamW, *given: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 20:
            os.kill(os.getpid(), 2)  # as Ctrl-C does
        return true(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.AdamW, "step", stop)
        with pytest.raises(Interrupted, match="continue with"):
            predictor(tmp_path / "part", precision="float32").fit(table)
    predictor(tmp_path / "part", precision="float32").fit(table, resume=True)
    parts, others = (load_tensors(tmp_path / name / "model.safetensors")[0] for name in ("part", "whole"))
    for name, tensor in others.items():
        torch.testing.assert_close(parts[name], tensor, rtol=0, atol=0)
    assert whole.metrics_


def test_a_process_trains_on_one_device_after_another(table: Path, tmp_path: Path) -> None:
    for number, device in enumerate((DEVICE, "cpu", DEVICE)):
        made = predictor(tmp_path / str(number), epochs=1, device=device).fit(table)
        assert made.model_.device.type == device


def test_a_launched_process_trains(table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "1", "-m", "plait"]
    options = [f"train.device={DEVICE}", "train.epochs=1", "train.workers=0", "train.precision=float32"]
    done = subprocess.run(
        [*launch, "train", str(table), "-t", "answer", "-o", str(run), *options],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(Predictor.load(run, device=DEVICE).predict(table)) == 120


def test_a_index_is_made_and_asked(squares: Path, tmp_path: Path) -> None:
    from plait.search import Query, Searcher, index_table

    index_table(squares / "pairs", squares / "squares.csv", tmp_path / "there.lance", verbose=False)
    searcher = Searcher(tmp_path / "there.lance")
    assert searcher.predictor.model_.device.type in (DEVICE, "cuda")
    assert {hit.row["title"] for hit in searcher.search(Query("a red square"), 5)} == {"a red square"}


def _log(run: Path) -> list[dict]:
    import json

    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
