"""The benchmark for CUDA devices runs on a CPU too, so that its code is known to run."""

import pytest


def test_the_benchmark_of_a_gpu_runs_on_a_cpu() -> None:
    pytest.importorskip("timm")
    pytest.importorskip("transformers")
    from benchmarks import gpu

    rows = {row["name"]: row for row in gpu.run("cpu", quick=True, tests=False)}
    assert rows["gpu: loop, bfloat16"]["against"] and 0 <= rows["gpu: loop, waits for JPEG files"]["value"] < 1
    assert all(row["value"] > 0 for name, row in rows.items() if "waits" not in name)
    for part in ("matrix products", "loop", "generation", "engine"):
        assert any(part in name for name in rows)


def test_without_a_device_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import gpu

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match="no CUDA device here"):
        gpu.run()
