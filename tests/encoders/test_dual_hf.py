"""What plait gives is what transformers' own models give."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from encoders.duals import TEXTS, our_logits, pictures, tiny_model
from plait.inference.zero_shot import load_aligned
from plait.predictor import Predictor

transformers = pytest.importorskip("transformers")


def library_logits(folder: Path, kind: str, model: Any, paths: list[Path]) -> np.ndarray:
    """`[images, texts]` as transformers alone gives them."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pixels = processor([Image.open(path).convert("RGB") for path in paths], return_tensors="pt")["pixel_values"]
    padding = "max_length" if kind == "siglip" else True
    texts = tokenizer(TEXTS, padding=padding, max_length=12, return_tensors="pt")
    given = {"input_ids": texts["input_ids"]}
    if kind == "clip":
        given["attention_mask"] = texts["attention_mask"]
    with torch.no_grad():
        return model(pixel_values=pixels, **given).logits_per_image.numpy()


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_scores_are_transformers_own(kind: str, tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "model", kind)
    paths = pictures(tmp_path)
    expected = library_logits(tmp_path / "model", kind, model, paths)
    predictor = load_aligned(f"hf:{tmp_path / 'model'}")
    assert np.abs(our_logits(predictor, paths) - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())
    saved = predictor.save(tmp_path / "run")
    for file in (tmp_path / "model").iterdir():
        file.unlink()  # a run needs the model's folder no more
    again = Predictor.load(saved)
    assert np.allclose(our_logits(again, paths), our_logits(predictor, paths), atol=1e-6)


def test_a_dual_encoder_is_fine_tuned_on_own_pairs(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model", "clip")
    paths = pictures(tmp_path) * 8
    frame = pd.DataFrame({"photo": [p.name for p in paths], "title": [TEXTS[n % 3] for n in range(24)]})
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    model = str(tmp_path / "model")
    predictor = Predictor(
        task={"type": "retrieval"},
        output=tmp_path / "run",
        types={"title": "text"},
        inputs={"photo": {"encoder": f"hf:{model}"}, "title": {"encoder": f"hf:{model}"}},
        fusion={"method": "shared_space", "hidden": None, "dim": 8},
        data={"val": "none"},
        train={"epochs": 30, "batch_size": 24, "encoder_learning_rate": 3e-3, "precision": "float32", "device": "cpu"},
        verbose=False,
    ).fit(tmp_path / "pairs.csv")
    found = predictor.evaluate(tmp_path / "pairs.csv")
    assert found["txt_r1"] == found["img_r1"] == 1.0  # three images, three texts
