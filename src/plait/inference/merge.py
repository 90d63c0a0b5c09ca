"""A run whose language model needs its adapters no more."""

import copy
from pathlib import Path

import torch

from plait.decoders.language_model import LanguageModel, merge_adapters
from plait.errors import RecipeError
from plait.predictor import Predictor
from plait.recipe import DecoderRecipe
from plait.types import Tokens

ADAPTERS = ("tune", "rank", "dropout")  # what a recipe says of them
PROBE = 8  # tokens of the prompts, and of the texts, on which both are compared


def merge_run(run: str | Path, output: str | Path) -> Path:
    """Write a run whose adapters have become part of the model's weights: it answers the same, without peft.

    Both are compared on prompts and texts of random words. The first run stays as it is.

    Args:
        run: a run of generation with `decoder.tune` lora or ia3.
        output: the folder to write.

    Returns:
        The folder.

    Raises:
        RecipeError: no language model with adapters writes in this run.
        PlaitError: the merged model would say something else.
        RunError: the folder can't be written or holds a run already.
    """
    predictor = Predictor.load(run, device="cpu")
    head = predictor.model_.head
    decoder = getattr(head, "decoder", None)
    if not isinstance(decoder, LanguageModel) or predictor.recipe_.decoder.options.get("tune") not in ("lora", "ia3"):
        raise RecipeError(f"{run}: expected a run whose language model has adapters (decoder.tune=lora or ia3)")
    merged_head = copy.copy(head)
    merged_head._modules = {**head._modules, "decoder": merge_adapters(decoder, *_probe(decoder))}
    recipe = predictor.recipe_.model_copy(update={"decoder": _without_adapters(predictor.recipe_.decoder)})
    merged = Predictor.assembled(
        recipe,
        predictor.schema_,
        predictor.inputs_,
        predictor.targets_,
        predictor.model_.with_head(merged_head),
        device="cpu",
    )
    merged.metrics_ = predictor.metrics_
    return merged.save(output)


def _probe(decoder: LanguageModel) -> tuple[Tokens, torch.Tensor]:
    """Prompts and texts of words drawn from the whole vocabulary."""
    words = decoder.model.get_input_embeddings()
    source = torch.Generator().manual_seed(0)
    prompt, text = torch.randint(words.weight.shape[0], (2, 2, PROBE), generator=source)
    with torch.no_grad():
        return Tokens(words(prompt), torch.ones(2, PROBE, dtype=torch.bool)), text


def _without_adapters(decoder: DecoderRecipe) -> DecoderRecipe:
    given = decoder.model_dump(exclude_unset=True)
    return DecoderRecipe(**{key: value for key, value in given.items() if key not in ADAPTERS})
