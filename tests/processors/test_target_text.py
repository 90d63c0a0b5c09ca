"""Texts that a model writes, as tokens and back."""

import json

import pytest

from plait.errors import DataError
from plait.processors import TargetText


def test_texts_that_are_hard() -> None:
    texts = TargetText.train(["a cat", "two cats"] * 3, vocab_size=300, max_length=10)
    long = texts.encode("word " * 10_000)
    assert len(long) == 10 and long[-1] == texts.end
    assert texts.decode(texts.encode("Üñï 日本 ♥")) != "" and texts.decode([]) == ""
    assert TargetText(**json.loads(json.dumps(texts.to_json()))).encode("a cat") == texts.encode("a cat")
    with pytest.raises(DataError, match="2 at least"):
        TargetText(texts.tokenizer, 1, 2, max_length=1)
