"""The model as a whole."""

import torch

from fakes import COLOURS, fake_batch
from plait.encoders import ResidualCNN, TextBag
from plait.fusion import ConcatFusion
from plait.heads import PredictHead
from plait.layers import NamedModules
from plait.model import MultimodalModel
from plait.processors import ImageProcessor, TextProcessor
from plait.types import Batch, Input


def test_a_blank_gives_what_nothing_gives_and_moves_no_statistics() -> None:
    """Processes that share weights run every encoder on every batch; the answer must not notice."""
    text = TextProcessor.train(list(COLOURS) * 2, vocab_size=300)
    encoders = {"photo": ResidualCNN(ImageProcessor(16), dim=8), "title": TextBag(text, dim=8)}
    dims = {name: encoder.out_dim for name, encoder in encoders.items()}
    model = MultimodalModel(encoders, ConcatFusion(dims, 8), PredictHead(8, {"y": 2}))
    titles = Input(text.collate([text("red"), text("blue")]))
    batch = Batch({"photo": Input({}), "title": titles}, {}, torch.arange(2))
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    pooled = model.eval()(batch).pooled
    model.encode_blanks = True
    torch.testing.assert_close(model(batch).pooled, pooled)
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in model.named_buffers())
    model.train()(batch).predictions["y"].sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_parts_work_alone_as_modules() -> None:
    """A researcher's own loop: modules take values, no recipe."""
    from fakes import FakeEncoder

    torch.manual_seed(0)
    model = MultimodalModel(
        {"a": FakeEncoder(), "b": FakeEncoder()}, ConcatFusion({"a": 8, "b": 8}, 16), PredictHead(16, {"y": 3})
    )
    batch = fake_batch()
    output = model(batch)
    assert output.predictions["y"].shape == (6, 3) and output.pooled.shape == (6, 16)
    without = Batch({**batch.inputs, "b": Input({}, torch.full((6, 1), -1))}, batch.targets, batch.rows)
    model.eval()
    torch.testing.assert_close(model(without).pooled[0], model(batch).pooled[0])
    assert isinstance(model.encoders, NamedModules)
