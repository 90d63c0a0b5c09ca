"""Stored features equal the encoder's own outputs; nothing is decoded or encoded twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait.data.batches import InputSpec, TableSource
from plait.data.table import Table
from plait.encoders import ResidualCNN, TextTransformer
from plait.encoders.layout import Layout
from plait.errors import DataError, RecipeError, RunError
from plait.features.column import ColumnEncoder, EncodedValue
from plait.features.engine import encoder_key
from plait.fusion import ConcatFusion
from plait.heads import PredictHead
from plait.model import MultimodalModel
from plait.processors import ImageProcessor, TextProcessor
from plait.types import Tokens

TEXT = TextProcessor.train(["a red bird sat on a tree", "a blue fish"] * 3, vocab_size=300)


class Counting:
    """A processor that counts what it prepares."""

    def __init__(self, processor: Any) -> None:
        self.processor, self.calls = processor, 0

    def __call__(self, value: Any) -> Any:
        self.calls += 1
        return self.processor(value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.processor, name)


def frozen(encoder: torch.nn.Module) -> torch.nn.Module:
    return encoder.requires_grad_(False).eval()


def encoders() -> dict[str, tuple[str, torch.nn.Module]]:
    torch.manual_seed(0)
    return {
        "photo": ("image", frozen(ResidualCNN(ImageProcessor(16), widths=[4, 8], dim=8))),
        "title": ("text", frozen(TextTransformer(TEXT, dim=8, layers=2, heads=2))),
    }


def test_stored_equals_encoded(table: Table, tmp_path: Path) -> None:
    parts = encoders()
    specs = {name: InputSpec((name,), encoder.processor, kind) for name, (kind, encoder) in parts.items()}
    dims = {name: encoder.out_dim for name, (_, encoder) in parts.items()}
    modules = {name: encoder for name, (_, encoder) in parts.items()}
    model = MultimodalModel(modules, ConcatFusion(dims, 8), PredictHead(8, {"y": 2})).eval()
    rows = np.arange(4)
    source = TableSource(table, specs)
    with torch.no_grad():
        direct = model(source.batch(rows)).pooled
        tokens = model.encode("title", source.batch(rows).inputs["title"], 4)
        for name, (kind, encoder) in parts.items():
            column = ColumnEncoder(name, kind, encoder, encoder.processor, root=tmp_path / "store")
            source.encoded[name] = column.encode(table, rows)
        stored = model(source.batch(rows)).pooled
        again = model.encode("title", source.batch(rows).inputs["title"], 4)
    torch.testing.assert_close(stored, direct, rtol=2e-3, atol=2e-3)  # kept in float16
    assert torch.equal(again.mask.sum(dim=1), tokens.mask.sum(dim=1)) and len(again.layers) == len(tokens.layers) == 2
    batch = source.batch(np.array([3, 2]))
    assert batch.inputs["photo"].features["stored_mask"].any(dim=1).tolist() == [True, False]


class Halving(torch.nn.Module):
    """As encoders of sound do: a token a pair of pieces, each with its seconds."""

    def __init__(self, layout: bool) -> None:
        super().__init__()
        self.processor, self.out_dim = TEXT, 4
        self.embedding = torch.nn.Embedding(TEXT.vocab_size, 4)
        if layout:
            self.layout = self._layout

    @staticmethod
    def _layout(features: Any) -> Layout:
        mask = torch.nn.functional.pad(features["mask"], (0, features["mask"].shape[1] % 2))
        start = 0.125 * torch.arange(mask.shape[1] // 2).expand(len(mask), -1) + 10_000
        return Layout(mask[:, ::2], torch.stack([start, start + 0.125], dim=2))

    def forward(self, features: dict[str, torch.Tensor]) -> Tokens:
        x = torch.nn.functional.pad(self.embedding(features["ids"]), (0, 0, 0, features["ids"].shape[1] % 2))
        return Tokens(x[:, ::2], *self._layout(features))


@pytest.mark.parametrize("layout", [True, False])
def test_an_encoder_that_gives_fewer_tokens_than_pieces(layout: bool, table: Table, tmp_path: Path) -> None:
    """Its own mask counts, not its processor's, and its seconds arrive to the bit; without a layout it is run to see."""
    torch.manual_seed(0)
    encoder = frozen(Halving(layout))
    source = TableSource(table, {"title": InputSpec(("title",), TEXT, "text")})
    model = MultimodalModel({"title": encoder}, ConcatFusion({"title": 4}, 8), PredictHead(8, {"y": 2})).eval()
    with torch.no_grad():
        direct = model.encode("title", source.batch(np.arange(4)).inputs["title"], 4)
        column = ColumnEncoder("title", "text", encoder, TEXT, root=tmp_path / "store")
        source.encoded["title"] = column.encode(table, np.arange(4))
        stored = model.encode("title", source.batch(np.arange(4)).inputs["title"], 4)
    assert torch.equal(stored.mask.sum(dim=1), direct.mask.sum(dim=1)) and stored.mask.shape[1] < 6
    assert stored.where is not None and direct.where is not None
    assert torch.equal(stored.where[stored.mask], direct.where[direct.mask])
    torch.testing.assert_close(stored.x[stored.mask], direct.x[direct.mask], rtol=2e-3, atol=2e-3)


def test_a_layout_that_disagrees_is_refused(table: Table, tmp_path: Path) -> None:
    encoder = frozen(Halving(True))
    encoder.layout = lambda features: Layout(features["mask"])
    column = ColumnEncoder("title", "text", encoder, TEXT, root=tmp_path / "store")
    with pytest.raises(
        RecipeError, match=r"inputs.title: the encoder gives \d tokens a value, and its layout's mask \d"
    ):
        column.encode(table, np.arange(4))


def test_places_reach_the_model_from_the_store(table: Table, tmp_path: Path) -> None:
    """Boxes of two images in a cell lie side by side; a store of before, which had none, is another folder."""
    _, encoder = encoders()["photo"]
    source = TableSource(table, {"photo": InputSpec(("photo",), encoder.processor, "image")})
    model = MultimodalModel({"photo": encoder}, ConcatFusion({"photo": 8}, 8), PredictHead(8, {"y": 2})).eval()
    with torch.no_grad():
        direct = model.encode("photo", source.batch(np.arange(4)).inputs["photo"], 4)
        column = ColumnEncoder("photo", "image", encoder, encoder.processor, root=tmp_path / "store")
        source.encoded["photo"] = column.encode(table, np.arange(4))
        stored = model.encode("photo", source.batch(np.arange(4)).inputs["photo"], 4)
    assert stored.where is not None and stored.where.shape == (4, 32, 4)
    assert torch.equal(stored.where[stored.mask], direct.where[direct.mask])
    plain = encoder_key(encoder)
    encoder.layout = lambda features: Layout()
    assert encoder_key(encoder) != plain


def test_nothing_is_prepared_or_encoded_twice(table: Table, tmp_path: Path) -> None:
    for name, (kind, encoder) in encoders().items():
        processor = Counting(encoder.processor)
        column = ColumnEncoder(name, kind, encoder, processor, root=tmp_path / "store", workers=2)
        column.encode(table, np.arange(4))
        distinct = {"photo": 3, "title": 2}[name]
        assert processor.calls == column.encoded == distinct
        column.encode(table, np.arange(4))
        later = ColumnEncoder(name, kind, encoder, processor, root=tmp_path / "store")
        later.encode(table, np.array([1, 2]))
        assert processor.calls == distinct and later.encoded == 0


def test_a_copy_of_a_file_is_the_same_content(table: Table, tmp_path: Path) -> None:
    _, encoder = encoders()["photo"]
    column = ColumnEncoder("photo", "image", encoder, encoder.processor, root=tmp_path / "store")
    column.encode(table, np.arange(4))
    (tmp_path / "copy.png").write_bytes((tmp_path / "0.png").read_bytes())
    other = Table.from_frame(pd.DataFrame({"photo": ["copy.png"]}), root=tmp_path)
    before = column.encoded
    column.encode(other, np.arange(1))
    assert column.encoded == before


def test_a_bad_file_is_named_when_its_row_is_asked_for(table: Table, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    frame = pd.DataFrame({"photo": ["0.png", "broken.png", "gone.png", "../../etc/passwd"]})
    broken = Table.from_frame(frame, root=tmp_path)
    _, encoder = encoders()["photo"]
    column = ColumnEncoder("photo", "image", encoder, encoder.processor, root=tmp_path / "store")
    encoded = column.encode(broken, np.arange(4))
    assert encoded.take(np.array([0])).features["stored_mask"].all()
    with pytest.raises(DataError, match="row 2, column 'photo': .*broken.png: expected an image"):
        encoded.take(np.array([0, 1]))
    named: list[str] = []
    mask = encoded.take(np.arange(4), lambda row, problem: named.append(problem)).features["stored_mask"]
    assert mask[:, 0].tolist() == [True, False, False, False]
    assert len(named) == 3 and "gone.png: there is no such file" in named[1] and "leaves the table's folder" in named[2]


def test_a_column_of_nothing_makes_no_store(tmp_path: Path) -> None:
    _, encoder = encoders()["title"]
    table = Table.from_frame(pd.DataFrame({"title": [None, None]}).astype(object))
    encoded = ColumnEncoder("title", "text", encoder, encoder.processor, root=tmp_path / "s").encode(
        table, np.arange(2)
    )
    assert not encoded.take(np.arange(2)).features["stored_mask"].any() and not (tmp_path / "s").exists()


def test_an_output_that_does_not_fit_is_refused(table: Table, tmp_path: Path) -> None:
    _, encoder = encoders()["title"]
    column = ColumnEncoder("title", "text", encoder, encoder.processor, root=tmp_path / "s")
    column.encode(table, np.arange(1))
    assert column.store is not None and column.store.dtype == np.float16
    with pytest.raises(RunError, match="1e\\+06 does not fit the store's float16"):
        column._save([EncodedValue(b"0" * 16, np.full((1, 16), 1e6, dtype=np.float32), None)])
