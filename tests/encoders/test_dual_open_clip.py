"""What plait gives is what open_clip gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from encoders.duals import TEXTS, our_logits, pictures
from plait.errors import RecipeError
from plait.inference.zero_shot import load_aligned
from plait.predictor import Predictor


def tiny_open_clip(folder: Path) -> Any:
    open_clip = pytest.importorskip("open_clip")
    folder.mkdir()
    config = {
        "model_cfg": {
            "embed_dim": 8,
            "vision_cfg": {"image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8},
            "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
        },
        "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    from safetensors.torch import save_file

    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model.eval()


def test_scores_are_open_clips_own(tmp_path: Path) -> None:
    model = tiny_open_clip(tmp_path / "model")
    import open_clip

    path = pictures(tmp_path)[0]  # of the model's size: PIL and torchvision round resized pixels differently
    _, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'model'}")
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'model'}")(TEXTS)
    with torch.no_grad():
        picture = prepare(Image.open(path)).unsqueeze(0)
        one, other = model.encode_image(picture, normalize=True), model.encode_text(tokens, normalize=True)
        expected = (one @ other.T * model.logit_scale.exp()).numpy()
    predictor = load_aligned(f"open_clip:{tmp_path / 'model'}")
    assert np.abs(our_logits(predictor, [path]) - expected).max() < 1e-5 * np.abs(expected).max()
    again = Predictor.load(predictor.save(tmp_path / "run"))
    assert np.allclose(our_logits(again, [path]), our_logits(predictor, [path]), atol=1e-6)


def test_a_strangers_configuration_fetches_nothing(tmp_path: Path) -> None:
    tiny_open_clip(tmp_path / "model")
    path = tmp_path / "model" / "open_clip_config.json"
    held = json.loads(path.read_text())
    held["model_cfg"]["text_cfg"]["hf_model_name"] = "someone/a-model"
    path.write_text(json.dumps(held))
    with pytest.raises(RecipeError, match="come from the model hub"):
        load_aligned(f"open_clip:{tmp_path / 'model'}")
