"""Texts as a language model reads them, with places for other values."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plait.processors.text import train_tokenizer
from plait.processors.words import WordsProcessor


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
