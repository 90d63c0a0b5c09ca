"""Models of images and texts, tiny and untrained: what plait gives is what their own libraries give."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from plait.errors import PlaitError, RecipeError
from plait.inference.zero_shot import class_vectors, classify, embed_side, embed_texts, load_aligned, scale_of
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


def our_logits(predictor: Predictor, paths: list[Path]) -> np.ndarray:
    frame = pd.DataFrame({"image": [str(path) for path in paths]})
    predictor.recipe_ = predictor.recipe_.updated({"data": {"allow_outside": True}})
    found = embed_side(predictor, "image", frame) @ embed_texts(predictor, TEXTS).T
    return found * scale_of(predictor) + float(predictor.model_.head.bias.detach())


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


def test_zero_shot_is_the_mean_of_templates(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model", "clip")
    folder = tmp_path / "some"
    folder.mkdir()
    pictures(folder)
    predictor = load_aligned(tmp_path / "model")
    labels, templates = ["red bird", "blue boats"], ["a {}", "the {} on the sea"]
    found = classify(predictor, folder, labels, templates)
    by_hand = []
    for label in labels:
        vectors = embed_texts(predictor, [template.replace("{}", label) for template in templates])
        by_hand.append(vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0)))
    assert np.allclose(class_vectors(predictor, labels, templates), by_hand, atol=1e-6)
    logits = embed_side(predictor, "image", folder) @ np.stack(by_hand).T * scale_of(predictor)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(found[["label_p_red bird", "label_p_blue boats"]].to_numpy(), expected, atol=1e-6)
    assert found["label"].tolist() == [labels[i] for i in logits.argmax(axis=1)]


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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf:{folder}", "config.json"),
        ("open_clip:ViT-B-33/openai", "did you mean"),
        ("open_clip:ViT-B-32/nothing", "unknown weights"),
    ],
)
def test_models_that_are_none(name: str, said: str, tmp_path: Path) -> None:
    pytest.importorskip("open_clip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlaitError, match=said):
        load_aligned(name.format(folder=tmp_path / "empty"))


def test_a_text_model_reads_no_pictures(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=14
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, 12, "clip")
    with pytest.raises(RecipeError, match="can't read image"):
        load_aligned(tmp_path)


def test_a_strangers_configuration_fetches_nothing(tmp_path: Path) -> None:
    tiny_open_clip(tmp_path / "model")
    path = tmp_path / "model" / "open_clip_config.json"
    held = json.loads(path.read_text())
    held["model_cfg"]["text_cfg"]["hf_model_name"] = "someone/a-model"
    path.write_text(json.dumps(held))
    with pytest.raises(RecipeError, match="come from the model hub"):
        load_aligned(f"open_clip:{tmp_path / 'model'}")
