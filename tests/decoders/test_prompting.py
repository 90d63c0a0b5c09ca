"""A language model's prompt: where words and images stand, what is cut, and models of transformers that see."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from decoders.tiny import END, save_language_model, tiny_llama
from fakes import picture
from plait.decoders.language_model import LanguageModel
from plait.decoders.language_weights import load_model, load_words
from plait.decoders.projectors import AsItIs
from plait.decoders.prompting import arrange
from plait.encoders.vlm_vision import VlmVision
from plait.errors import DataError, RecipeError
from plait.fusion.prompt import PromptFusion
from plait.predictor import Predictor
from plait.types import Tokens

transformers = pytest.importorskip("transformers")
TEMPLATE = [[0, 1], "photo", "text", [2]]


def test_values_stand_where_the_text_has_a_place_for_them() -> None:
    words = {"text": [[(9, 10), (-1, 11), (8, 12), (-1, 13)], [(9, 20)], []]}
    photos = {"photo": [[[30, 31], [32]], [[40, 41], [42]], []]}
    found = arrange(TEMPLATE, words, photos, room=100)
    assert found == [[0, 1, 10, 30, 31, 12, 32, 2], [0, 1, 40, 41, 42, 20, 2], [0, 1, 2]]


def test_the_first_words_go_and_never_a_value() -> None:
    words = {"text": [[(9, 10), (-1, 11), (8, 12), (7, 13)]]}
    found = arrange(TEMPLATE, words, {"photo": [[[30, 31, 32]]]}, room=7)
    assert found == [[0, 1, 30, 31, 32, 13, 2]]
    with pytest.raises(RecipeError, match="room for 5 tokens before its text; prompt and inputs are 6"):
        arrange(TEMPLATE, words, {"photo": [[[30, 31, 32]]]}, room=5)


def test_places_of_an_input_that_was_taken_away_stay_empty() -> None:
    assert arrange(TEMPLATE, {"text": [[(-1, 5), (4, 6)]]}, {"photo": [[]]}, room=9) == [[0, 1, 6, 2]]


def test_places_and_values_that_differ_in_number_are_refused() -> None:
    with pytest.raises(DataError, match="row 2 of the batch: 1 places for 'photo' in the text and 2 values"):
        arrange(TEMPLATE, {"text": [[], [(-1, 5)]]}, {"photo": [[[7]], [[8], [9]]]}, room=9)


def test_a_prompt_of_words_and_pictures_is_the_models_own() -> None:
    """Logits are those of one sequence of words and projected tokens, put together by hand."""
    torch.manual_seed(0)
    model = tiny_llama()
    decoder = LanguageModel(model, {"photo": AsItIs()}, [[1, 5], "photo", "text", [7]], END, ["text"], 10).eval()
    photo = Tokens(torch.randn(2, 4, 16), torch.tensor([[True] * 4, [True, True, False, False]]), items=2)
    ids = torch.tensor([[9.0, -1, 8, -1], [6, 0, 0, 0]])[:, :, None]
    text = Tokens(ids, torch.tensor([[True] * 4, [True, False, False, False]]))
    context = decoder.context(PromptFusion({"photo": 16, "text": 1}, ["text"])({"photo": photo, "text": text}))
    embed = model.get_input_embeddings()
    first = [embed(torch.tensor([1, 5, 9])), photo.x[0, :2], embed(torch.tensor([8])), photo.x[0, 2:]]
    first.append(embed(torch.tensor([7])))
    second = [embed(torch.tensor([1, 5])), photo.x[1, :2], embed(torch.tensor([6, 7]))]
    told = torch.tensor([[0, 11, 12], [0, 13, 14]])
    found = decoder(context, told)
    for row, pieces in enumerate((first, second)):
        whole = torch.cat([*pieces, embed(told[row, 1:])])[None]
        torch.testing.assert_close(found[row], model(inputs_embeds=whole).logits[0, -3:], atol=1e-4, rtol=1e-4)


def tiny_llava(folder: Path, vocabulary: int) -> Path:
    torch.manual_seed(0)
    vision = transformers.CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8
    )
    shape = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
    text = transformers.LlamaConfig(
        vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=2, **shape
    )
    config = transformers.LlavaConfig(vision_config=vision, text_config=text, image_token_id=vocabulary - 1)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    sizes = {"size": {"height": 16, "width": 16}, "do_center_crop": False}
    transformers.CLIPImageProcessor(**sizes).save_pretrained(folder)
    return folder


def test_a_model_that_sees_says_what_it_says_in_transformers(tmp_path: Path) -> None:
    save_language_model(tmp_path, ["a red thing", "a blue thing"])
    vocabulary = transformers.AutoTokenizer.from_pretrained(tmp_path).vocab_size
    folder = tiny_llava(tmp_path, vocabulary)
    whole = transformers.LlavaForConditionalGeneration.from_pretrained(folder).eval()
    encoder = VlmVision(VlmVision.make_processor(str(folder)), str(folder)).eval()
    texts, template = load_words(str(folder), 8, "What is it?", ["photo"])
    decoder = LanguageModel(load_model(str(folder)), {"photo": AsItIs()}, template, texts.end, text_length=8).eval()
    pictures = torch.randint(0, 255, (2, 3, 16, 16), dtype=torch.uint8)
    seen = encoder({"pixels": pictures})
    context = decoder.context(PromptFusion({"photo": 16})({"photo": seen}))
    told = torch.tensor([[0, 6, 7], [0, 8, 9]])
    found = decoder(context, told)
    mark = vocabulary - 1
    ids = [token for piece in template for token in ([mark] * seen.x.shape[1] if isinstance(piece, str) else piece)]
    prompt = torch.tensor([[*ids, *row[1:].tolist()] for row in told])
    expected = whole(input_ids=prompt, pixel_values=encoder.pixels(pictures)).logits[:, -3:]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    names = [name for name, _ in decoder.named_parameters()]
    assert not any("vision" in name for name in names)  # each side is there once
    assert not any("language" in name for name, _ in encoder.named_parameters())


def chats(folder: Path, count: int = 24) -> pd.DataFrame:
    """Two images a row; the question names one of them by its place."""
    rows = []
    for n in range(count):
        colours = [["red", "blue"][n % 2], ["red", "blue"][(n // 2) % 2]]
        paths = [str(picture(folder / f"{n}_{k}.png", colour, seed=n)) for k, colour in enumerate(colours)]
        asked = "first" if n % 3 else "second"
        text = f"<image> is the first and <image> the second. What is the {asked}?"
        rows.append((";".join(paths), text, f"a {colours[0 if n % 3 else 1]} thing"))
    return pd.DataFrame(rows, columns=["photos", "question", "answer"])


@pytest.mark.parametrize("method", ["words", "seeing"])
def test_a_run_of_words_and_several_pictures(method: str, tmp_path: Path) -> None:
    frame = chats(tmp_path)
    folder = save_language_model(tmp_path / "model", [*frame["question"], *frame["answer"]])
    photos: dict[str, Any] = {"modality": "image", "encoder": "scratch:cnn"}
    if method == "seeing":
        tiny_llava(folder, transformers.AutoTokenizer.from_pretrained(folder).vocab_size)
        photos = {"modality": "image", "encoder": f"hf:{folder}", "frozen": True}
    predictor = Predictor(
        "answer",
        output=tmp_path / "run",
        inputs={"photos": photos, "question": {"modality": "text"}},
        task={"type": "generation", "max_length": 6},
        decoder={"method": str(folder), "tune": "all", "projector": {"method": "resampler", "latents": 2}},
        generation={"max_length": 6},
        data={"allow_outside": True, "val": 0.25},
        train={"epochs": 2, "batch_size": 8, "precision": "float32"},
        verbose=False,
    ).fit(frame)
    recipe = predictor.recipe_
    assert recipe.fusion.method == "prompt" and recipe.inputs["question"].encoder == "words"
    said = list(predictor.predict(frame))
    assert list(Predictor.load(tmp_path / "run").predict(frame)) == said
    wrong = frame.assign(photos=frame["photos"].str.split(";").str[0])
    with pytest.raises(DataError, match=r"row 1: 2 places \(<photos>\) in its texts and 1 values in column 'photos'"):
        predictor.predict(wrong)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"title": ["one", "two"] * 20, "answer": ["yes", "no"] * 20})

    def fit(**options: Any) -> None:
        Predictor("answer", output=tmp_path / "run", verbose=False, **options).fit(frame)

    with pytest.raises(RecipeError, match="encoder words: a language model reads them"):
        fit(inputs={"title": {"modality": "text", "encoder": "words"}})
    with pytest.raises(RecipeError, match="fusion.method=prompt: a language model reads it"):
        fit(types={"title": "text"}, fusion="prompt", task={"type": "generation"})
    folder = save_language_model(tmp_path / "model", ["yes", "no"])
    written = {"types": {"title": "text"}, "task": {"type": "generation", "max_length": 8}}
    with pytest.raises(RecipeError, match="decoder.projector: .*known"):
        fit(
            **written,
            decoder={"method": str(folder), "projector": "big"},
            fusion="concat",
            generation={"max_length": 8},
        )
    with pytest.raises(RecipeError, match="fusion.missing_token"):
        fit(**written, decoder=str(folder), fusion={"missing_token": True}, generation={"max_length": 8})
