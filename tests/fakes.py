"""Tiny stand-ins: 8-dim modules, ten-row tables, images of a few pixels. Seeded, offline, quick."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from plait import Predictor
from plait.processors.sound import as_wav
from plait.types import Batch, Input, Tokens

CPU = {"device": "cpu", "precision": "float32", "epochs": 1}
TWELVE_EPOCHS = {**CPU, "epochs": 12, "learning_rate": 0.005, "batch_size": 16}
NUMBER_AND_TITLE = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (40, 60, 230)}


def picture(path: Path, colour: str, size: tuple[int, int] = (32, 32), seed: int = 0) -> Path:
    """An image of one colour with some noise, so that no two are the same."""
    noise = np.random.default_rng(seed).integers(0, 25, (size[1], size[0], 3))
    pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def colour_table(folder: Path, rows: int = 60, seed: int = 0) -> Path:
    """`photo,title,price,shade,answer`: the answer is `yes` where photo and title name one colour."""
    random = np.random.default_rng(seed)
    names = list(COLOURS)
    records = []
    for row in range(rows):
        shown, said = names[random.integers(3)], names[random.integers(3)]
        photo = picture(folder / "photos" / f"{row}.png", shown, seed=row)
        records.append(
            {
                "photo": str(photo.relative_to(folder)),
                "title": f"this is a picture of a {said} thing number {row % 7}",
                "price": round(float(random.normal(10, 3)), 2),
                "shade": ["dark", "light"][row % 2],
                "answer": "yes" if shown == said else "no",
            }
        )
    path = folder / "table.csv"
    pd.DataFrame(records).to_csv(path, index=False)
    return path


class FakeEncoder(nn.Module):
    """`{"x": [U, T, in], "mask": [U, T]}` → Tokens of width `dim`."""

    modality = "text"

    def __init__(self, in_dim: int = 4, dim: int = 8) -> None:
        super().__init__()
        self.out_dim = dim
        self.linear = nn.Linear(in_dim, dim)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        return Tokens(self.linear(features["x"]), features["mask"])


def fake_batch(rows: int = 6, seed: int = 0) -> Batch:
    """Two modalities `a` and `b`; row 0 lacks `b`; targets `y` in 0..2."""
    generator = torch.Generator().manual_seed(seed)

    def values(length: int) -> dict[str, Tensor]:
        return {
            "x": torch.randn(rows, length, 4, generator=generator),
            "mask": torch.ones(rows, length, dtype=torch.bool),
        }

    index = torch.arange(rows).view(rows, 1).clone()
    index[0] = -1
    targets = {"y": torch.randint(0, 3, (rows,), generator=generator)}
    return Batch({"a": Input(values(3)), "b": Input(values(2), index)}, targets, torch.arange(rows))


def fake_tokens(rows: int, length: int, dim: int, seed: int = 0, absent: tuple[int, ...] = ()) -> Tokens:
    """Random tokens with random padding, at least one real token a row but for the absent ones."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, length + 1, (rows,), generator=generator)
    mask = torch.arange(length) < lengths.unsqueeze(1)
    mask[list(absent)] = False
    return Tokens(torch.randn(rows, length, dim, generator=generator), mask)


TRAIN = {"epochs": 8, "batch_size": 32, "learning_rate": 0.01, "device": "cpu", "precision": "float32"}


def frame(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """A number that decides, and a text that says nothing."""
    a = np.random.default_rng(seed).normal(size=rows)
    return pd.DataFrame(
        {"a": a, "t": [f"some words here {i % 7}" for i in range(rows)], "y": np.where(a > 0, "b", "s")}
    )


def fitted(table: Any, folder: Path, target: Any = "y", **options: Any) -> Predictor:
    train = {**TRAIN, **options.pop("train", {})}
    return Predictor(target, output=folder / "run", train=train, verbose=False, **options).fit(table)


def make(target: Any = "answer", folder: Path | None = None, **options: Any) -> Predictor:
    """A predictor that trains for an epoch where nothing else is said."""
    return Predictor(target, output=folder, verbose=False, **{**options, "train": {**CPU, **options.get("train", {})}})


def size_table(rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """`size` answers; `title` says nothing."""
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    titles = random.choice(["a thing", "some thing", "this thing"], rows)
    return pd.DataFrame({"size": size, "title": titles, "answer": np.where(size > 0, "yes", "no")})


def tone(seconds: float, hertz: float = 440.0, rate: int = 16_000, kind: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """A sound file: a sine, with a little noise that is the same every time."""
    soundfile = pytest.importorskip("soundfile")
    times = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(size=len(times))
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * hertz * times) + 0.003 * noise, rate, format=kind, subtype=subtype)
    return file.getvalue()


def chirp(seconds: float = 1.0, rate: int = 16_000) -> bytes:
    """A sound that rises from 100 to 7,000 Hz: something in every band."""
    pytest.importorskip("soundfile")
    times = np.arange(round(seconds * rate)) / rate
    # Not by soundfile itself, which adds the second of writing: noises are drawn by what a file holds.
    return as_wav(0.5 * np.sin(2 * np.pi * (100 * times + 3450 * times**2 / seconds)), rate)


def film(
    frames: int,
    size: int = 16,
    rate: float = 10,
    start: int = 0,
    sound: bool = False,
    times: Sequence[float] | None = None,
    format: str = "matroska",
    codec: str = "ffv1",
    pixel: str = "bgr0",
) -> bytes:
    """A video whose frame n is a bar of width n on grey of 40 + 4 n + `start`, with a tone of one second if `sound`."""
    av = pytest.importorskip("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as container:
        images = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1000))
        images.width, images.height, images.pix_fmt = size, size, pixel
        if times is not None:
            images.time_base = images.codec_context.time_base = Fraction(1, 1000)
        heard = container.add_stream("aac" if format == "mp4" else "flac", rate=16_000) if sound else None
        if heard is not None:
            heard.layout = "mono"
        for place in range(frames):
            pixels = np.full((size, size, 3), (40 + 4 * place + start) % 256, np.uint8)
            pixels[:, : 1 + place % size] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(1000 * times[place]), Fraction(1, 1000)
            for packet in images.encode(frame):
                container.mux(packet)
        for packet in images.encode():
            container.mux(packet)
        if heard is not None:
            wave = (8_000 * np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 440)).astype(np.int16)
            floats = (wave / 32_768).astype(np.float32)
            kind, samples = ("fltp", floats) if format == "mp4" else ("s16", wave)
            piece = av.AudioFrame.from_ndarray(samples[None], format=kind, layout="mono")
            piece.sample_rate, piece.pts = 16_000, 0
            for packet in [*heard.encode(piece), *heard.encode()]:
                container.mux(packet)
    return buffer.getvalue()
