"""Contract tests over `PROCESSORS`: small, saved with the run, the same in training and in prediction."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fakes import film, tone
from plait.errors import RunError
from plait.processors import (
    PROCESSORS,
    AudioProcessor,
    ImageProcessor,
    MiniRocketProcessor,
    Processor,
    SeriesProcessor,
    TabularProcessor,
    TextProcessor,
    TfidfProcessor,
    VideoProcessor,
    WordsProcessor,
    load_processor,
    save_processor,
)
from plait.processors.series_cells import as_bytes
from plait.processors.text import train_tokenizer

SERIES = [as_bytes(np.random.default_rng(n).normal(size=(20 + n, 2))) for n in range(4)]
every_processor = pytest.mark.parametrize("name", PROCESSORS)


def case(name: str) -> tuple[Any, Any]:
    """A processor and a value."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), (200, 10, 10)).save(buffer, "PNG")
    if name == "open_clip_text":
        pytest.importorskip("open_clip")
        return PROCESSORS[name](), "a red bird"
    made = {
        "audio": lambda: (AudioProcessor(), tone(0.2)),
        "image": lambda: (ImageProcessor(8), buffer.getvalue()),
        "series": lambda: (SeriesProcessor.fit(SERIES), SERIES[0]),
        "minirocket": lambda: (MiniRocketProcessor.fit(SERIES, features=168), SERIES[0]),
        "tabular": lambda: (
            TabularProcessor.fit({"p": [1.0, 2.0], "c": ["a", "b"]}, numbers=["p"], dates=[], categories=["c"]),
            {"p": 3, "c": "b"},
        ),
        "text": lambda: (TextProcessor.train(["a red bird"] * 2, vocab_size=300), "a red bird"),
        "tfidf": lambda: (TfidfProcessor.train(["a red bird", "a dog"]), "a red bird"),
        "video": lambda: (VideoProcessor({"size": 8}, frames=3), film(5)),
        "words": lambda: (WordsProcessor(train_tokenizer(["a b"], 300, True, ["[PAD]"]), ["p"], "p"), "<image> a b"),
    }
    return made[name]()


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for key, values in one.items():
        np.testing.assert_array_equal(values, other[key])


@every_processor
def test_it_is_saved_and_sent_as_it_is(name: str, tmp_path: Path) -> None:
    processor, value = case(name)
    assert isinstance(processor, Processor) and PROCESSORS[name] is type(processor)
    save_processor(processor, tmp_path / "it.json")
    again = load_processor(tmp_path / "it.json")
    assert again.to_json() == processor.to_json()
    same(again(value), processor(value))
    same(pickle.loads(pickle.dumps(processor))(value), processor(value))


@every_processor
def test_values_are_padded_and_stand_beside_a_blank_one(name: str) -> None:
    processor, value = case(name)
    one, both = processor.collate([processor(value)]), processor.collate([processor(value), processor.blank()])
    assert one.keys() == both.keys()
    for key, tensor in both.items():
        assert isinstance(tensor, torch.Tensor) and len(tensor) == 2 and len(one[key]) == 1
    same(processor(value), processor(value))


def test_one_that_nobody_offers_is_refused(tmp_path: Path) -> None:
    class Own:
        pass

    with pytest.raises(RunError, match="Own is none of audio, .*a plugin offers it"):
        save_processor(Own(), tmp_path / "it.json")  # type: ignore[arg-type]
    assert not (tmp_path / "it.json").exists()
