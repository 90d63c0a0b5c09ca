"""Engines that run a frozen encoder: they must agree, and their setup must pay."""

from pathlib import Path
from typing import Any

import pytest
import torch

from plait.data.table import Table
from plait.encoders import ResidualCNN, TextTransformer
from plait.features.engine import Engine, choose_engine, encoder_key
from plait.processors import ImageProcessor, TextProcessor

TEXT = TextProcessor.train(["a red bird sat on a tree", "a blue fish"] * 3, vocab_size=300)


def frozen(encoder: torch.nn.Module) -> torch.nn.Module:
    return encoder.requires_grad_(False).eval()


def encoders() -> dict[str, tuple[str, torch.nn.Module]]:
    torch.manual_seed(0)
    return {
        "photo": ("image", frozen(ResidualCNN(ImageProcessor(16), widths=[4, 8], dim=8))),
        "title": ("text", frozen(TextTransformer(TEXT, dim=8, layers=2, heads=2))),
    }


def test_the_key_follows_weights_settings_and_processor() -> None:
    torch.manual_seed(0)
    first, same = (frozen(ResidualCNN(ImageProcessor(16), dim=8)) for _ in range(2))
    same.load_state_dict(first.state_dict())
    assert encoder_key(first) == encoder_key(same) != encoder_key(first, exact=True)
    larger = frozen(ResidualCNN(ImageProcessor(24), dim=8))
    larger.load_state_dict(first.state_dict())
    assert encoder_key(larger) != encoder_key(first)
    next(same.parameters()).data[0] += 1e-3
    assert encoder_key(same) != encoder_key(first)


def test_an_engine_must_agree_and_its_setup_must_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    _, encoder = encoders()["title"]
    probe = TEXT.collate([TEXT("a red bird"), TEXT("a blue fish swam")])

    with torch.no_grad():
        flat_shape = torch.cat(encoder(probe).layers, dim=2)

    def wrong(flat: Any, names: list[str], half: bool) -> dict[str, Any]:
        return {
            "fast and wrong": lambda probe: lambda features: -flat_shape,
            "another shape": lambda probe: lambda features: torch.randn(2, 1, 3),
            "broken": lambda probe: 1 / 0,
            "openvino": lambda probe: pytest.fail("two rows do not pay for it"),
        }

    monkeypatch.setattr("plait.features.engine._candidates", wrong)
    engine = choose_engine(encoder, probe, rows=2, half=False)
    assert isinstance(engine, Engine) and engine.name == "eager" and engine.speed == 1.0
    assert "cosine -1" in engine.tried["fast and wrong"] and "failed" in engine.tried["another shape"]
    assert engine.tried["broken"].startswith("failed (ZeroDivisionError")
    assert engine.tried["openvino"] == "its set-up would not pay for so few rows"
    torch.testing.assert_close(engine.run(probe), flat_shape)


@pytest.mark.parametrize("kind", ["photo", "title"])
def test_openvino_agrees_and_tells_nobody(kind: str, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    pytest.importorskip("openvino")
    reports = pytest.importorskip("openvino_telemetry")
    monkeypatch.setattr(reports.Telemetry, "__init__", lambda *_, **__: pytest.fail("a report of its use"))
    monkeypatch.setattr("plait.features.engine.SETUP", {"compiled, frozen": 1e9})
    _, encoder = encoders()[kind]
    values = {"photo": [Path(str(table.root)) / "0.png"], "title": ["a red bird"]}[kind]
    probe = encoder.processor.collate([encoder.processor(value) for value in values * 4])
    engine = choose_engine(encoder, probe, rows=10**7, half=False)
    assert "cosine 1.0000" in engine.tried["openvino"], engine.tried
