"""A language model's prompt: where words and images stand, what is cut, and models of transformers that see."""

from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from decoders.test_language_model import END, save_language_model, tiny_llama
from fakes import fake_tokens, picture
from plait.decoders.language_model import LanguageModel
from plait.decoders.language_weights import load_model, load_words
from plait.decoders.packing import pack
from plait.decoders.projectors import PROJECTORS, AsItIs
from plait.decoders.prompting import arrange
from plait.encoders.vlm_vision import VlmVision
from plait.errors import DataError, RecipeError
from plait.fusion.prompt import PromptFusion
from plait.layers import masked_mean
from plait.predictor import Predictor
from plait.processors.text import train_tokenizer
from plait.processors.words import WordsProcessor
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


def processor(**options: Any) -> WordsProcessor:
    tokenizer = train_tokenizer(["a red bird and a blue one"], 300, True, ["[PAD]", "[END]"])
    return WordsProcessor(tokenizer, ["photo", "price"], image="photo", **options)


def test_words_know_their_places_and_special_tokens_are_letters() -> None:
    words = processor()
    assert words.places_in("<image> and <photo>, <price>") == {"photo": 2, "price": 1}
    ids = words("<image> a red <price>bird<image>")["ids"]
    assert [token for token in ids.tolist() if token < 0] == [-1, -2, -1]
    assert 1 not in words("stop [END] here")["ids"]
    again = WordsProcessor(**words.to_json())
    assert again("a [END] <photo>")["ids"].tolist() == words("a [END] <photo>")["ids"].tolist()
    batch = words.collate([words(""), words("a red bird")])
    assert not batch["mask"][0].any() and batch["mask"][1].all()


@given(st.text(max_size=60), st.integers(1, 20))
def test_long_texts_keep_their_end_and_every_place(text: str, most: int) -> None:
    whole = processor()(f"{text} <image> a")["ids"].tolist()
    short = processor(max_length=most)(f"{text} <image> a")["ids"].tolist()
    assert sum(token >= 0 for token in short) == min(most, sum(token >= 0 for token in whole))
    assert sum(token < 0 for token in short) == sum(token < 0 for token in whole)
    assert short[-1:] == whole[-1:]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_lines_hold_every_row_once(lengths: list[int]) -> None:
    width = max(lengths)
    lines = pack([[place >= width - length for place in range(width)] for length in lengths])
    assert sorted(row for line in lines.rows for row in line) == list(range(len(lengths)))
    assert lines.length == width
    place, position, owner = lines.tables()
    for row, length in enumerate(lengths):
        flat = zip(*(chain.from_iterable(table) for table in (place, position, owner)), strict=True)
        mine = [(at, nth) for at, nth, whose in flat if whose == row]
        assert mine == [(row * width + width - length + n, n) for n in range(length)]


@pytest.mark.parametrize("name", PROJECTORS)
def test_projectors_read_each_value_by_itself(name: str) -> None:
    torch.manual_seed(0)
    project = PROJECTORS[name](6, 16, 0.3).eval()
    one, two = torch.randn(2, 9, 6), torch.randn(2, 9, 6)
    every, gone = torch.ones(2, 9, dtype=torch.bool), torch.tensor([[True] * 9, [False] * 9])
    both = project(Tokens(torch.cat([one, two], dim=1), torch.cat([every, gone], dim=1), items=2))
    alone, other = project(Tokens(one, every)), project(Tokens(two, every))
    each = alone.x.shape[1]
    assert both.items == 2 and both.x.shape == (2, 2 * each, 16)
    torch.testing.assert_close(both.x[:, :each], alone.x)
    torch.testing.assert_close(both.x[0, each:], other.x[0])
    assert both.mask[0].all() and both.mask[1].tolist() == [True] * each + [False] * each
    noise = Tokens(torch.cat([one, two.fill_(float("nan"))], dim=1), torch.cat([every, ~every], dim=1), items=2)
    torch.testing.assert_close(project(noise).x[:, :each], alone.x)
    assert project(noise).x[:, :each].std() < 1  # of the size of words


def test_pixel_shuffle_by_hand() -> None:
    project = PROJECTORS["pixel_shuffle"](1, 4, 1.0)
    project.map = torch.nn.Identity()
    found = project(Tokens(torch.arange(16.0).view(1, 16, 1), torch.ones(1, 16, dtype=torch.bool))).x[0]
    assert found.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    with pytest.raises(DataError, match="no square grid"):
        project(Tokens.single(torch.zeros(1, 1)))
    with pytest.raises(ValueError, match="by"):
        PROJECTORS["pixel_shuffle"](1, 4, 1.0, by=1)


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


def test_fused_tokens_can_stand_in_a_prompt() -> None:
    """Any fusion before the model: its vector and tokens are one input of the prompt."""
    from plait.fusion import FUSIONS

    fusion = FUSIONS["product"]({"a": 4, "b": 3}, 8)
    decoder = LanguageModel(tiny_llama(), {"": PROJECTORS["mlp"](8, 16, 0.4)}, [[1], "", [7]], END, text_length=8)
    fused = fusion({"a": fake_tokens(3, 2, 4), "b": fake_tokens(3, 5, 3)})
    assert decoder.context(fused).mask.sum(dim=1).max() == 1 + 2 + 5 + 1


def test_ids_of_words_are_not_in_the_fused_vector() -> None:
    photo, text = fake_tokens(2, 3, 4), Tokens.single(torch.full((2, 1), 917.0))
    fused = PromptFusion({"photo": 4, "text": 1}, ["text"])({"photo": photo, "text": text})
    torch.testing.assert_close(fused.pooled, masked_mean(photo))
    assert fused.tokens.x.shape == photo.x.shape and set(fused.parts) == {"photo", "text"}
    alone = PromptFusion({"text": 1}, ["text"])({"text": text})
    assert alone.pooled.tolist() == [[0.0], [0.0]] and not alone.tokens.mask.any()


def test_a_strangers_configuration_fetches_no_code() -> None:
    kernels = {"attn_implementation": "someone/kernels", "_attn_implementation": "someone/kernels"}
    code = {"AutoModelForCausalLM": "someone/code--model.Model", "AutoConfig": "someone/code--config.Config"}
    config = {
        **tiny_llama().config.to_dict(),
        **kernels,
        "auto_map": code,
        "quantization_config": {"quant_method": "x"},
    }
    model = load_model("a folder that is gone", config)
    assert type(model).__module__.startswith("transformers.") and not hasattr(model.config, "auto_map")
    assert "someone" not in str(model.config.to_dict()) + str(model.config._attn_implementation)
