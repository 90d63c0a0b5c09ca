"""A language model behind a projector: the tokens of transformers' `generate`, adapters, and what does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from decoders.tiny import END, VOCAB, save_language_model, tiny_llama
from fakes import fake_tokens, picture
from plait.decoders.language_model import LanguageModel, merge_adapters
from plait.decoders.projectors import PROJECTORS
from plait.errors import PlaitError, RecipeError
from plait.generation.search import NONE, generate
from plait.generation.settings import GenerationSettings
from plait.layers import masked_mean
from plait.predictor import Predictor
from plait.types import Fused, Tokens

transformers = pytest.importorskip("transformers")


def made(projector: str = "mlp", **options: Any) -> LanguageModel:
    torch.manual_seed(1)
    projectors = {"": PROJECTORS[projector](8, 16, 0.4)}
    settings = {"text_length": 20, **options}
    return LanguageModel(tiny_llama(), projectors, [[1, 5, 6], "", [7, 8]], END, **settings).eval()


def prompt_of(decoder: LanguageModel, rows: int = 5, length: int = 4) -> Tokens:
    tokens = fake_tokens(rows, length, 8)
    with torch.no_grad():
        return decoder.context(Fused(masked_mean(tokens), lambda: tokens))


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"num_beams": 4, "length_penalty": 0.3}])
def test_the_tokens_are_transformers(options: dict[str, Any]) -> None:
    decoder = made()
    context = prompt_of(decoder)
    assert not context.mask.all() and context.mask[:, -1].all()  # of different length, padded to the left
    head = decoder.model.get_input_embeddings()(torch.tensor([[1, 5, 6]] * 5))
    x, mask = torch.cat([head, context.x], dim=1), torch.cat([torch.ones(5, 3, dtype=torch.bool), context.mask], dim=1)
    order = mask.long().argsort(dim=1, stable=True)  # what is real to the right, as transformers wants it
    x, mask = x.gather(1, order[:, :, None].expand_as(x)), mask.gather(1, order)
    asked = (
        {"do_sample": False, "max_new_tokens": 12, "early_stopping": False}
        if options
        else {"do_sample": False, "max_new_tokens": 12}
    )
    expected = decoder.model.generate(inputs_embeds=x, attention_mask=mask.long(), **asked, **options)
    settings = GenerationSettings(
        max_length=12, beams=options.get("num_beams", 1), length_penalty=options.get("length_penalty", 1.0)
    )
    found = generate(decoder, context, settings).ids[:, 0]
    for own, other in zip(found.tolist(), expected.tolist(), strict=True):
        own = [token for token in own if token != NONE]
        assert own == other[: len(own)] and set(other[len(own) :]) <= {END}


@pytest.mark.parametrize("tune", ["projector", "prefix"])
def test_steps_say_what_the_whole_says(tune: Any) -> None:
    decoder = made(tune=tune)
    context = prompt_of(decoder, 4, 5)
    ids = torch.randint(3, VOCAB, (4, 5))
    logits, state = decoder.begin(context, 2, 8)
    stepped = [logits]
    for place in range(5):
        stepped.append(decoder.step(ids[:, place : place + 1].expand(-1, 2), state)[:, 1])
        state.select(torch.tensor([[1, 0]] * 4))
    whole = decoder(context, torch.cat([torch.zeros(4, 1, dtype=torch.int64), ids], dim=1))
    torch.testing.assert_close(torch.stack(stepped, dim=1), whole, atol=1e-4, rtol=1e-4)


def test_what_trains() -> None:
    def trained(**options: Any) -> set[str]:
        return {name.split(".")[0] for name, p in made(**options).named_parameters() if p.requires_grad}

    assert trained() == {"projectors"} and trained(tune="all") == {"projectors", "model"}
    assert trained(tune="prefix") == {"projectors", "prefix"}
    assert made(tune="all").pretrained and not made().pretrained and not made(tune="prefix").pretrained
    pytest.importorskip("peft")
    for tune in ("lora", "ia3"):
        names = [name for name, p in made(tune=tune).named_parameters() if p.requires_grad and "model" in name]
        assert names and all(tune in name for name in names)
        assert not made(tune=tune).pretrained  # adapters are new, and learn at the rate of what is new


@pytest.mark.parametrize("tune", ["lora", "ia3"])
def test_merging_keeps_what_it_says(tune: Any) -> None:
    pytest.importorskip("peft")
    decoder, ids = made(tune=tune), torch.randint(3, VOCAB, (3, 4))
    context = prompt_of(decoder, 3)
    for name, parameter in decoder.named_parameters():
        if tune in name:
            torch.nn.init.normal_(parameter, mean=0.5, std=0.3)
    merged = merge_adapters(decoder, context, ids)
    assert not any(tune in name for name, _ in merged.named_parameters())
    torch.testing.assert_close(merged(context, ids), decoder(context, ids), atol=1e-3, rtol=1e-3)
    with pytest.raises(PlaitError, match="no adapter to merge"):
        merge_adapters(merged, context, ids)
    with pytest.raises(PlaitError, match="it is refused"):
        merge_adapters(decoder, context, ids, tolerance=-1.0)


def test_a_context_that_is_too_short_is_said() -> None:
    with pytest.raises(RecipeError, match="room for 3 tokens before its text; prompt and inputs are (4|5|6)"):
        prompt_of(made(max_context=10, text_length=4))
    with pytest.raises(RecipeError, match="room for 1 tokens"):
        prompt_of(made(tune="prefix", prefix_length=50, text_length=10))  # of 64


def test_options_are_checked() -> None:
    with pytest.raises(RecipeError, match="decoder.tune"):
        made(tune="some")
    decoder, absent = made(), Tokens.missing(2, 8)
    prompt = decoder.context(Fused(torch.zeros(2, 8), lambda: absent))
    assert prompt.mask.sum(dim=1).tolist() == [2, 2]  # the template alone, its head apart
    assert decoder(prompt, torch.zeros(2, 2, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize("tune", ["projector", "prefix"])
def test_rows_that_share_a_line_say_what_they_say_alone(tune: Any) -> None:
    decoder = made(packing=True, tune=tune)
    tokens = fake_tokens(9, 20, 8)
    tokens.mask = torch.arange(20) < torch.tensor([20, 1, 3, 5, 0, 12, 2, 9, 7])[:, None]
    with torch.no_grad():
        context = decoder.context(Fused(masked_mean(tokens), lambda: tokens))
    ids = torch.randint(3, VOCAB, (9, 4))
    alone = decoder(context, ids)
    together = decoder.train()(context, ids)
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert decoder.padding.packed < decoder.padding.loose and "packing: " in str(decoder.padding)


def test_it_learns_loads_and_writes(tmp_path: Path) -> None:
    colours = ["red", "green", "blue"]
    rows = [
        (str(picture(tmp_path / f"{n}.png", colours[n % 3], seed=n)), f"a {colours[n % 3]} thing") for n in range(48)
    ]
    frame = pd.DataFrame(rows, columns=["photo", "caption"])
    folder = save_language_model(tmp_path / "model", list(frame["caption"]))
    predictor = Predictor(
        "caption",
        output=tmp_path / "run",
        inputs={"photo": {"modality": "image", "encoder": "scratch:cnn"}},
        task={"type": "generation", "max_length": 12},
        decoder={"method": str(folder), "tune": "all", "prompt": "What is it?"},
        generation={"max_length": 8},
        data={"allow_outside": True},
        train={
            "epochs": 25,
            "batch_size": 8,
            "learning_rate": 0.005,
            "encoder_learning_rate": 0.005,
            "precision": "float32",
            "evaluate_every": 25,
        },
        verbose=False,
    ).fit(frame)
    said = predictor.predict(frame)
    assert np.mean(said == frame["caption"].to_numpy()) > 0.9
    for path in folder.iterdir():
        path.unlink()  # the run is all that is needed
    again = Predictor.load(tmp_path / "run")
    assert list(again.predict(frame)) == list(said)


def test_a_tokenizer_without_an_end_is_refused(tmp_path: Path) -> None:
    folder = save_language_model(tmp_path / "model", ["a red thing"], end=False)
    frame = pd.DataFrame(
        {"title": ["one", "two"] * 20, "caption": ["a red thing of mine", "another red thing of mine"] * 20}
    )
    with pytest.raises(RecipeError, match="has no end token"):
        Predictor(
            "caption",
            output=tmp_path / "run",
            types={"title": "text"},
            task={"type": "generation"},
            decoder=str(folder),
            verbose=False,
        ).fit(frame)
