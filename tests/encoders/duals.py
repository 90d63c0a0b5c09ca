"""Models of images and texts, tiny and untrained."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from plait.inference.zero_shot import embed_side, embed_texts, scale_of
from plait.predictor import Predictor

transformers = pytest.importorskip("transformers")
TEXTS = ["a red bird", "two blue boats on the sea", "x"]
WORDS = ["a", "red", "bird", "two", "blue", "boats", "on", "the", "sea", "x"]


def pictures(folder: Path, size: int = 32) -> list[Path]:
    """Three images of noise, of other sizes than the model's but for the first."""
    random = np.random.default_rng(0)
    paths = []
    for number, (width, height) in enumerate([(size, size), (size + 11, size + 5), (2 * size, size)]):
        path = folder / f"{number}.png"
        Image.fromarray(random.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(path)
        paths.append(path)
    return paths


def save_tokenizer(folder: Path, length: int, kind: str) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    special = ["<pad>", "<s>", "</s>", "<unk>"]
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    first = "<s> $A </s>" if kind == "clip" else "$A </s>"
    tokenizer.post_processor = processors.TemplateProcessing(single=first, special_tokens=[("<s>", 1), ("</s>", 2)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", bos_token="<s>", unk_token="<unk>"
    )
    fast.model_max_length = length
    fast.save_pretrained(folder)


def tiny_model(folder: Path, kind: str) -> Any:
    """A CLIP or SigLIP of a few thousand weights, saved as users' are."""
    torch.manual_seed(0)
    text = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text |= {"max_position_embeddings": 12, "vocab_size": 14, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"image_size": 32, "patch_size": 8}
    if kind == "clip":
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
        model, processor = (
            transformers.CLIPModel(config),
            transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        )
    else:
        config = transformers.SiglipConfig(text_config=text, vision_config=vision)
        model, processor = (
            transformers.SiglipModel(config),
            transformers.SiglipImageProcessor(size={"height": 32, "width": 32}),
        )
        with torch.no_grad():
            model.logit_scale.fill_(1.5)
            model.logit_bias.fill_(-3.0)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    save_tokenizer(folder, 12, kind)
    return model


def our_logits(predictor: Predictor, paths: list[Path]) -> np.ndarray:
    frame = pd.DataFrame({"image": [str(path) for path in paths]})
    predictor.recipe_ = predictor.recipe_.updated({"data": {"allow_outside": True}})
    found = embed_side(predictor, "image", frame) @ embed_texts(predictor, TEXTS).T
    return found * scale_of(predictor) + float(predictor.model_.head.bias.detach())
