"""Frames by an image encoder, and what reads them in order."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fakes import film
from plait import Predictor
from plait.encoders import Augment, HfVideo, ResidualCNN, VideoCNN, VideoEncoder
from plait.encoders.tuning import is_frozen, set_trainable
from plait.errors import RecipeError
from plait.layers import TEMPORAL
from plait.processors import ImageProcessor, VideoProcessor
from plait.types import Tokens

PROCESSOR = VideoProcessor({"size": 16}, frames=6)


def features(*counts: int) -> dict[str, torch.Tensor]:
    return PROCESSOR.collate([PROCESSOR(film(count)) for count in counts])


def encoder(temporal: str = "transformer") -> VideoEncoder:
    torch.manual_seed(0)
    image = ResidualCNN(ImageProcessor(16), widths=[4], dim=8)
    shape: dict[str, Any] = {} if temporal == "mean" else {"temporal_dim": 8}
    shape |= {"temporal_heads": 2} if temporal == "transformer" else {}
    return VideoEncoder(PROCESSOR, image, temporal, **shape).eval()


def test_a_frame_is_what_the_image_encoder_says_of_it() -> None:
    made, given = encoder(), features(6, 3)
    said = made.before(given)
    for video in range(2):
        real = given["mask"][video]
        alone = made.before.image({"pixels": given["pixels"][video, real]}).x.mean(dim=1)
        torch.testing.assert_close(said.x[video, real], alone)
    assert said.where is not None and torch.equal(said.where, given["where"])


@pytest.mark.parametrize("temporal", TEMPORAL)
def test_no_video_sees_anothers_padding(temporal: str) -> None:
    made, given = encoder(temporal), features(6, 2)
    together = made(given)
    alone = made({name: x[1:, :2] for name, x in given.items()})
    torch.testing.assert_close(together.x[1][together.mask[1]], alone.x[0][alone.mask[0]])


@pytest.mark.parametrize("temporal", TEMPORAL)
def test_order_matters_but_for_the_mean(temporal: str) -> None:
    made, given = encoder(temporal), features(6)
    with torch.no_grad():
        for parameter in made.parameters():  # places are zero at first
            parameter.add_(0.1 * torch.randn_like(parameter))
    backwards = {**given, "pixels": given["pixels"].flip(1)}
    one, other = (made(x).x.mean(dim=1) for x in (given, backwards))
    assert torch.allclose(one, other, atol=1e-5) == (temporal == "mean")


def test_a_setting_that_is_not_read_is_refused() -> None:
    image = ResidualCNN(ImageProcessor(16), widths=[4], dim=8)
    with pytest.raises(ValueError, match="gru reads no heads; leave it out, or take transformer"):
        VideoEncoder(PROCESSOR, image, "gru", temporal_heads=2)
    with pytest.raises(ValueError, match="mean reads no layers; leave it out, or take transformer or gru"):
        VideoCNN(PROCESSOR, widths=[4], temporal="mean", layers=2)
    assert VideoCNN(PROCESSOR, widths=[4], dim=8, temporal="mean").out_dim == 8


def test_a_gru_is_torchs_and_gaps_are_closed() -> None:
    torch.manual_seed(0)
    made = TEMPORAL["gru"](4, dim=6, layers=1)
    x, mask = torch.randn(1, 5, 4), torch.tensor([[True, False, True, True, False]])
    said = made.eval()(Tokens(x, mask)).x[0, mask[0]]
    torch.testing.assert_close(said, made.rnn(made.scale(x[:, mask[0]]))[0][0])


def test_augmentation_changes_all_frames_of_a_video_alike() -> None:
    torch.manual_seed(0)
    made = VideoCNN(PROCESSOR, widths=[4], dim=8, dropout=0.0, shift=4).train()
    assert isinstance(made.before.augment, Augment) and made.before.image.pixels.augment is None
    pixels = torch.randint(0, 255, (1, 1, 3, 16, 16)).expand(1, 6, 3, 16, 16)
    changed = made.before.augment(pixels.flatten(1, 2).float()).view(pixels.shape)
    assert all(torch.equal(changed[0, 0], changed[0, place]) for place in range(6))
    assert not torch.equal(changed[0, 0], pixels[0, 0].float())


def test_of_a_frozen_one_the_order_is_learned_all_the_same() -> None:
    made = encoder()
    set_trainable(made, frozen=True)
    assert is_frozen(made) and all(p.requires_grad for p in made.after.parameters())


def table(folder: Path, count: int = 40) -> Path:
    """The answer is whether it gets lighter or darker: of single frames nothing can be said."""
    rows = []
    for n in range(count):
        frames = [np.full((16, 16, 3), 20 + 50 * (place if n % 2 else 4 - place), np.uint8) for place in range(5)]
        from plait.processors.films import as_video

        (folder / f"{n}.mkv").write_bytes(as_video(np.stack(frames), 5.0 + n / 10))
        rows.append({"clip": f"{n}.mkv", "answer": ["down", "up"][n % 2]})
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    return folder / "clips.csv"


def test_stored_frames_and_decoded_ones_give_one_answer(tmp_path: Path) -> None:
    path = table(tmp_path)
    shape = {"encoder": "timm:test_resnet.r160_in1k", "frozen": True, "pretrained": False, "size": 32, "frames": 5}
    given: dict[str, Any] = {"inputs": {"clip": {**shape, "temporal_dim": 16}}}
    train = {"device": "cpu", "epochs": 25, "learning_rate": 3e-3, "batch_size": 8, "precision": "float32"}
    predictor = Predictor("answer", **given, train=train, output=tmp_path / "run")
    predictor.fit(path)
    stored = predictor.predict_proba(path)  # 40 rows: from the store
    frame = pd.read_csv(path)
    few = predictor.predict_proba(frame.assign(clip=[str(tmp_path / name) for name in frame["clip"]])[:8])
    np.testing.assert_allclose(stored[:8], few, atol=2e-3)
    assert predictor.evaluate(path)["accuracy"] > 0.9  # the order of frames is seen


def test_a_fitted_method_reads_the_mean_of_frozen_frames(tmp_path: Path) -> None:
    path = table(tmp_path, 20)
    shape = {"encoder": "timm:test_resnet.r160_in1k", "frozen": True, "pretrained": False, "size": 32}
    Predictor("answer", inputs={"clip": shape}, fusion="linear", train={"device": "cpu"}).fit(path)
    with pytest.raises(RecipeError, match="no option 'temporl'"):
        Predictor("answer", inputs={"clip": {**shape, "temporl": "gru"}}, train={"device": "cpu"}).fit(path)


def videomae(folder: Path) -> str:
    from transformers import VideoMAEConfig, VideoMAEImageProcessor, VideoMAEModel

    torch.manual_seed(0)
    config = VideoMAEConfig(
        image_size=32, patch_size=16, num_frames=4, tubelet_size=2, hidden_size=8, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=8,
    )  # fmt: skip
    VideoMAEModel(config).save_pretrained(folder)
    VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return str(folder)


def test_videomae_is_what_transformers_says(tmp_path: Path) -> None:
    from transformers import VideoMAEImageProcessor, VideoMAEModel

    name = videomae(tmp_path / "m")
    processor = HfVideo.make_processor(name)
    assert processor.frames == 4 and processor.of_frames.size == 32
    given = processor.collate([processor(film(9, size=32)), processor(film(1, size=32))])
    own = VideoMAEImageProcessor.from_pretrained(name)
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (own.image_mean, own.image_std))
    with torch.no_grad():
        theirs = VideoMAEModel.from_pretrained(name).eval()(pixel_values=(given["pixels"] / 255 - mean) / std)
        pooled = HfVideo(processor, name).eval()(given)
        tubes = HfVideo(processor, name, "none").eval()(given)
    torch.testing.assert_close(pooled.x[:, 0], theirs.last_hidden_state.mean(dim=1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(tubes.x.mean(dim=1), pooled.x[:, 0], atol=1e-5, rtol=1e-4)
    assert tubes.where is not None and tubes.where[0, 0].tolist() == [0, pytest.approx(given["where"][0, 1, 1])]


def test_a_run_with_videomae_loads_without_its_folder(tmp_path: Path) -> None:
    path = table(tmp_path, 12)
    inputs = {"clip": {"encoder": videomae(tmp_path / "m"), "frozen": True}}
    predictor = Predictor("answer", inputs=inputs, train={"device": "cpu", "epochs": 1}, output=tmp_path / "run")
    predictor.fit(path)
    (tmp_path / "m").rename(tmp_path / "gone")
    np.testing.assert_allclose(Predictor.load(tmp_path / "run").predict_proba(path), predictor.predict_proba(path))
