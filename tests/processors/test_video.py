"""Frames as image encoders read them, with their seconds."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from fakes import film
from plait.errors import DataWarning
from plait.processors import ImageProcessor, VideoProcessor
from plait.processors import video as module
from plait.processors.frames import Picks, read_clip


def test_a_frame_is_prepared_as_an_image_is() -> None:
    data = film(5, size=24)
    for options in ({"size": 16}, {"size": 16, "resize": "pad", "fill": 255}, {"size": 8, "resize": "crop"}):
        processor = VideoProcessor(options, frames=3)
        made = processor(data)
        for pixels, frame in zip(made["pixels"], read_clip(data, Picks(3)).frames, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(frame).save(buffer, "PNG")
            np.testing.assert_array_equal(pixels, ImageProcessor(**options)(buffer.getvalue())["pixels"])


def test_videos_of_unequal_length_are_padded_and_known() -> None:
    processor = VideoProcessor({"size": 8}, frames=6)
    batch = processor.collate([processor(film(6)), processor(film(2))])
    assert batch["pixels"].shape == (2, 6, 3, 8, 8) and batch["mask"].sum(dim=1).tolist() == [6, 2]
    assert batch["where"][1, :2].tolist() == [[0, pytest.approx(0.1)], [pytest.approx(0.1), pytest.approx(0.2)]]
    assert batch["pixels"].flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    assert not batch["pixels"][1, 2:].any()


def test_the_size_is_that_of_training_frames() -> None:
    assert VideoProcessor.fit([film(2, size=48), film(1, size=40), film(1, size=40), b"none"]).of_frames.size == 40
    assert VideoProcessor.fit([b"none"]).of_frames.size == 64


def test_a_cut_video_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_said", set())
    whole = film(400, codec="libx264", pixel="yuv420p", size=64)
    with pytest.warns(DataWarning, match="is cut off or damaged; its .* s that could be read count"):
        VideoProcessor({"size": 8}, frames=2)(whole[: len(whole) // 2])
