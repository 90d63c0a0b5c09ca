"""Classes by their names alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from encoders.duals import pictures, save_tokenizer, tiny_model
from plait.errors import DataError, PlaitError, RecipeError
from plait.inference.predict import predict_labels
from plait.inference.zero_shot import class_vectors, classify, embed_side, embed_texts, load_aligned, scale_of

transformers = pytest.importorskip("transformers")


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


def test_kept_columns_are_checked_first_and_stand_under_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_model(tmp_path / "model", "clip")
    (tmp_path / "some").mkdir()
    pictures(tmp_path / "some")
    files = sorted(path.name for path in (tmp_path / "some").iterdir())
    frame = pd.DataFrame({"photo": files, "label": "mine", "label_given": "theirs"})
    frame.to_csv(tmp_path / "some" / "t.csv", index=False)
    given = (tmp_path / "some" / "t.csv", ["red", "blue"], ["a {}"], tmp_path / "out.csv")
    assert predict_labels(tmp_path / "model", *given, ["label_given", "label"]) == len(files)
    written = pd.read_csv(tmp_path / "out.csv")
    assert set(written["label_given"]) == {"theirs"} and set(written["label_given_"]) == {"mine"}
    monkeypatch.setattr("plait.inference.predict.load_aligned", None)  # a model that would be asked raises TypeError
    with pytest.raises(DataError, match="labl"):
        predict_labels(tmp_path / "model", *given, ["labl"])


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
