"""Worse videos, by what they do to frames and times."""

import numpy as np

from fakes import film
from plait.modalities.video_noises import blurred, frozen, out_of_step, without_frames
from plait.processors import VideoProcessor

PROCESSOR = VideoProcessor({"size": 16}, frames=20)
DATA = film(20)
CLEAN = PROCESSOR.read(DATA)


def test_lost_frames_are_the_same_and_more() -> None:
    kept = [without_frames(DATA, share, np.random.default_rng(0), PROCESSOR).where[:, 0] for share in (0.2, 0.6, 1.0)]
    assert 20 > len(kept[0]) > len(kept[1]) > len(kept[2]) == 1 and set(kept[1]) <= set(kept[0])


def test_images_come_late_and_times_stay() -> None:
    late = out_of_step(DATA, 0.3, PROCESSOR)
    assert np.array_equal(late.where, CLEAN.where)
    for place, frame in enumerate(late.frames):
        assert np.array_equal(frame, CLEAN.frames[max(0, place - 3)])


def test_a_frozen_image_stands_still_for_its_share() -> None:
    still = frozen(DATA, 0.5, np.random.default_rng(1), PROCESSOR)
    same = [np.array_equal(a, b) for a, b in zip(still.frames, CLEAN.frames, strict=True)]
    assert len(still.frames) == 20 and same.count(False) == 9  # the first of ten is itself


def test_blur_keeps_the_mean_and_takes_the_edges() -> None:
    soft = blurred(DATA, 0.1, PROCESSOR)
    assert abs(np.mean(soft.frames) - np.mean(CLEAN.frames)) < 2
    assert (
        np.abs(np.diff(soft.frames[5].astype(int), axis=1)).max()
        < np.abs(np.diff(CLEAN.frames[5].astype(int), axis=1)).max()
    )
