"""Texts as tokens, and back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import RunError
from plait.processors import TextProcessor, load_processor, save_processor

TEXTS = ["a red bird sat on a red roof", "the blue fish swam", "Ünïcode and 漢字 too"] * 3
processor = TextProcessor.train(TEXTS, vocab_size=320, max_length=12)


@given(st.text(min_size=0, max_size=40))
def test_any_text_has_tokens_within_bounds(text: str) -> None:
    ids = processor(text)["ids"]
    assert 1 <= len(ids) <= 12
    assert ids.min() >= 0 and ids.max() < processor.vocab_size


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_collate_keeps_ids_and_pads_the_rest(texts: list[str]) -> None:
    features = [processor(text) for text in texts]
    batch = processor.collate(features)
    for row, feature in enumerate(features):
        assert batch["ids"][row][batch["mask"][row]].tolist() == feature["ids"].tolist()
        assert (batch["ids"][row][~batch["mask"][row]] == processor.pad_id).all()


def test_tokens_come_back_as_the_text() -> None:
    assert processor.tokenizer.decode(processor("A RED bird")["ids"].tolist()).strip() == "a red bird"


def test_text_round_trip(tmp_path: Path) -> None:
    save_processor(processor, tmp_path / "p.json")
    again = load_processor(tmp_path / "p.json")
    assert again("the red fish")["ids"].tolist() == processor("the red fish")["ids"].tolist()
    assert again.max_length == 12


def test_damaged_processor_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"kind": "text", "tok')
    with pytest.raises(RunError, match="not JSON"):
        load_processor(tmp_path / "p.json")
