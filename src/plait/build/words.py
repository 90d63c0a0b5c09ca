"""How the texts that a run writes become tokens: by a vocabulary of training texts, or by a language model's."""

from collections.abc import Sequence
from typing import Any

from plait.decoders.language_weights import is_language_model, load_words
from plait.processors import TargetText
from plait.recipe import Recipe
from plait.tasks.generation import fit_texts, need_texts
from plait.tasks.pairs import Sides

WORDS = "words"  # the encoder that passes a text's tokens on to the language model that writes
PROMPT = "prompt"  # the fusion that leaves fusing to the language model


def words_for(
    recipe: Recipe, sides: Sides, cells: Sequence[Any], max_length: int, short: bool
) -> tuple[TargetText, dict[str, Any] | None]:
    """How a target's texts become tokens, and what a run saves about its language model (None where none writes).

    Raises:
        DataError: there is no text.
        RecipeError: the vocabulary is too small.
    """
    decoder, target = recipe.decoder, recipe.targets[0]
    if not is_language_model(decoder.method):
        return fit_texts(cells, target, decoder.vocab_size, max_length, decoder.lowercase), None
    need_texts(cells, target)
    words = [name for name in sides if name in recipe.inputs and recipe.inputs[name].encoder == WORDS]
    images_first = [*(name for name in sides if name not in words), *words]
    prompt = decoder.prompt
    if prompt is None:
        prompt = "Answer with a word or two." if short else "" if words else "Describe this."
    names = images_first if recipe.fusion.method == PROMPT else [""]
    texts, template = load_words(model_name(recipe), max_length, prompt, names)
    return texts, {"template": template, "words": words}


def model_name(recipe: Recipe) -> str:
    """The name of the language model that writes, as its library knows it."""
    return recipe.decoder.method.removeprefix("hf:")
