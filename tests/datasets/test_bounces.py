"""Drawn videos: what a row says is what the file holds."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait.datasets.bounces import NEAR, draw, write_bounces
from plait.processors.frames import Picks, read_clip
from plait.processors.sound import read_sound

pytest.importorskip("av")


def beeps_of(data: bytes) -> list[float]:
    """Moments at which the sound gets loud, by its energy alone."""
    sound = read_sound(data, 10, 16_000)
    pieces = np.sqrt(np.square(sound.wave[: len(sound.wave) // 160 * 160]).reshape(-1, 160).mean(axis=1))
    loud = pieces > 0.12
    starts = np.flatnonzero(loud & ~np.append(False, loud[:-1]))
    return [start / 100 for place, start in enumerate(starts) if place == 0 or start - starts[place - 1] > 10]


def turns_of(data: bytes) -> list[float]:
    """Moments at which the middle of the shape turns round."""
    clip = read_clip(data, Picks(48))
    bright = np.stack(clip.frames).max(axis=3).astype(float) - 60
    weights = bright.clip(0).sum(axis=1)
    middle = (weights * np.arange(32)).sum(axis=1) / weights.sum(axis=1)
    direction = np.sign(np.diff(middle))
    places = np.flatnonzero(direction[1:] * direction[:-1] < 0)
    return [float(clip.where[place + 1, 1]) for place in places]


def test_what_is_said_is_what_is_seen_and_heard() -> None:
    kinds = set()
    for seed in range(12):
        clip = draw(np.random.default_rng(seed))
        beeps, turns = beeps_of(clip["video"]), turns_of(clip["video"])
        together = [b for b in beeps if any(abs(b - t) < 0.08 for t in turns)]
        events = json.loads(clip["events"])
        assert len(events) == len(together) and bool(events) == (clip["in_step"] == "yes")
        for event in events:
            assert any(event["start"] <= beep <= event["end"] for beep in together)
        if clip["in_step"] == "no":
            assert not any(abs(b - t) < NEAR / 2 for b in beeps for t in turns) and 200 <= abs(clip["delay"]) <= 600
        kinds.add(clip["in_step"])
    assert kinds == {"yes", "no"}


def test_neither_side_alone_knows_whether_they_are_in_step() -> None:
    import plait.datasets.bounces as module

    drawn = [module._moments(np.random.default_rng(seed)) for seed in range(3000)]
    in_time, late = (np.concatenate([one[place] for one in drawn]) for place in (1, 2))
    one, other = (np.histogram(values, 13, (0.2, 2.8))[0] / len(values) for values in (in_time, late))
    assert np.abs(one - other).max() < 0.015
    assert all(
        set(bounces) & set(beeps) for bounces, beeps, _, _ in drawn
    )  # what is in step can be told from what isn't


def test_tables_name_files_that_are_there(tmp_path: Path) -> None:
    tables = write_bounces(tmp_path, {"train": 3, "test": 2})
    assert [len(pd.read_csv(table)) for table in tables] == [3, 2]
    assert all((tmp_path / name).is_file() for name in pd.read_csv(tables[0])["clip"])
