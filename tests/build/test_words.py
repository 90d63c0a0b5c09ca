"""How texts that are written become tokens."""

import pytest

from plait.build.words import model_name, words_for
from plait.errors import DataError, RecipeError
from plait.processors import TargetText
from plait.recipe import Recipe


def recipe_of(**decoder: object) -> Recipe:
    return Recipe.parse({"task": {"type": "generation", "target": "caption"}, "decoder": decoder})


def test_without_a_language_model_a_vocabulary_is_learned() -> None:
    texts, kept = words_for(
        recipe_of(vocab_size=270, lowercase=False), {}, ["A Cat", None, "", "two cats"], 8, short=False
    )
    assert isinstance(texts, TargetText) and kept is None and texts.vocab_size <= 270
    assert texts.decode(texts.encode("A Cat")) == "A Cat" and len(texts.encode("two cats " * 9)) == 8


def test_texts_are_lower_case_where_nobody_says_otherwise() -> None:
    texts, _ = words_for(recipe_of(vocab_size=270), {}, ["A Cat"], 8, short=False)
    assert texts.decode(texts.encode("A CAT")) == "a cat"


def test_there_must_be_texts_and_room_for_every_byte() -> None:
    with pytest.raises(DataError, match="caption"):
        words_for(recipe_of(), {}, [None, " "], 6, short=False)
    with pytest.raises(RecipeError, match="vocab_size=100"):
        words_for(recipe_of(vocab_size=100), {}, ["a cat"], 6, short=False)


@pytest.mark.parametrize(
    ("method", "name"),
    [("hf:org/model", "org/model"), ("packaged:smollm2", "packaged:smollm2"), ("/a/folder", "/a/folder")],
)
def test_a_library_knows_a_model_by_its_own_name(method: str, name: str) -> None:
    assert model_name(recipe_of(method=method)) == name
