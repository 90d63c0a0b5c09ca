"""PatchTST in plait, held against transformers' own on the same weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, PatchTSTConfig, PatchTSTModel

from plait.encoders import HfSeries
from plait.errors import RecipeError
from plait.processors.series import SeriesProcessor
from plait.processors.series_cells import as_bytes

SHAPE = {"context_length": 16, "patch_length": 4, "patch_stride": 4, "d_model": 8, "num_hidden_layers": 1}
SHAPE |= {"num_attention_heads": 2, "ffn_dim": 16, "num_input_channels": 2}


def saved(folder: Path, **changes: Any) -> str:
    torch.manual_seed(0)
    PatchTSTModel(PatchTSTConfig(**{**SHAPE, **changes})).save_pretrained(folder)
    return str(folder)


def features_of(*lengths: int) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(1)
    processor = SeriesProcessor([0.0, 0.0], [1.0, 1.0])
    return processor.collate([processor(as_bytes(random.normal(size=(length, 2)))) for length in lengths])


@pytest.mark.parametrize("cls_token", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_it_is_what_transformers_says(cls_token: bool, masked: bool, tmp_path: Path) -> None:
    name = saved(tmp_path / "m", use_cls_token=cls_token, do_mask_input=masked)
    own = PatchTSTModel.from_pretrained(name).eval()
    own.do_mask_input, own.masking = False, torch.nn.Identity()  # masks are for pre-training
    features = features_of(16, 16)
    with torch.no_grad():
        theirs = own(past_values=features["values"], past_observed_mask=features["there"]).last_hidden_state
        for channels in ("mean", "concat"):
            encoder = HfSeries(SeriesProcessor([0.0, 0.0], [1.0, 1.0]), name, "none", channels).eval()
            said = encoder(features)
            patches = theirs[:, :, 1:] if cls_token else theirs
            wanted = patches.mean(dim=1) if channels == "mean" else torch.cat([patches[:, 0], patches[:, 1]], dim=2)
            torch.testing.assert_close(said.x, wanted)
            assert said.where is not None and said.where[0].tolist() == [[0, 4], [4, 8], [8, 12], [12, 16]]
        pooled = HfSeries(SeriesProcessor([0.0, 0.0], [1.0, 1.0]), name).eval()(features)
        torch.testing.assert_close(pooled.x[:, 0], (theirs[:, :, 0] if cls_token else theirs.mean(dim=2)).mean(dim=1))


@pytest.mark.parametrize("pool", ["mean", "none"])
def test_the_last_steps_count_and_no_series_sees_anothers_length(pool: Any, tmp_path: Path) -> None:
    name = saved(tmp_path / "m")
    encoder = HfSeries(SeriesProcessor([0.0, 0.0], [1.0, 1.0]), name, pool).eval()
    features = features_of(20, 6, 1)
    with torch.no_grad():
        together = encoder(features)
        for row, length in enumerate((20, 6, 1)):
            alone = encoder({key: x[row : row + 1, :length] for key, x in features.items()})
            torch.testing.assert_close(together.x[row], alone.x[0])
            torch.testing.assert_close(together.mask[row], alone.mask[0])
    if pool == "none":
        assert together.mask.sum(dim=1).tolist() == [4, 2, 1]
        assert together.where is not None
        assert together.where[0, 0].tolist() == [4, 8] and together.where[1, 2:].tolist() == [[0, 2], [2, 6]]


def test_other_models_and_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="reads 3 channels, and the series have 2"):
        HfSeries(SeriesProcessor([0.0, 0.0], [1.0, 1.0]), saved(tmp_path / "m", num_input_channels=3))
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=9, **shape)).save_pretrained(tmp_path / "bert")
    with pytest.raises(RecipeError, match="of the kind bert reads no series"):
        HfSeries(SeriesProcessor([0.0], [1.0]), str(tmp_path / "bert"))


def test_a_run_with_it_trains_and_loads(tmp_path: Path) -> None:
    from plait import Predictor

    random = np.random.default_rng(0)
    rows = [{"s": (random.normal(size=(18, 2)) + n % 2).tolist(), "y": "ab"[n % 2]} for n in range(40)]
    inputs = {"s": {"encoder": saved(tmp_path / "m"), "frozen": True, "channels": "concat"}}
    predictor = Predictor("y", inputs=inputs, train={"device": "cpu", "epochs": 1}, output=tmp_path / "run")
    predictor.fit(rows)
    (tmp_path / "m").rename(tmp_path / "gone")
    again = Predictor.load(tmp_path / "run")
    frames = predictor.predict_proba(rows), again.predict_proba(rows)
    np.testing.assert_allclose(frames[0], frames[1], atol=1e-6)
