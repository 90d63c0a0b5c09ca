"""Drawn videos with sound: a shape bounces off walls, and beeps; what happens, and when, is true by construction."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from plait.datasets.packages import write_table
from plait.errors import import_extra
from plait.files.atomic import replacing

SECONDS, FPS, SIDE, RATE = 3.0, 16, 32, 16_000
CLIPS = {"train": 2_000, "val": 200, "test": 500}
COLOURS = {"red": (220, 60, 50), "green": (60, 190, 80), "blue": (70, 110, 230), "yellow": (230, 200, 60)}
SHAPES = ("circle", "square")
ACTIONS = ("bounces", "spins", "grows")
WORDS = {0: "never", 1: "once", 2: "twice", 3: "three times"}
BEEP = 0.12  # seconds
TOGETHER = 0.03  # seconds between a bounce and its beep, at most
APART = 0.35  # seconds between events, at least
NEAR = 0.15  # seconds from a bounce to a beep that does not belong to it, at least
FIRST, ROUND = 0.2, 2.6  # seconds at which events begin, and of the circle that they lie on
HERTZ = (500.0, 1_200.0)
DELAYS = (0.2, 0.6)  # seconds that the sound of a clip out of step is late or early


def write_bounces(folder: Path, clips: dict[str, int] | None = None) -> list[Path]:
    """`train.csv`, `val.csv` and `test.csv`, of videos of 3 s at 16 frames a second, with their sound.

    `clip` names the video. `action` is what the shape does besides moving (it bounces, spins or grows), `events` where
    it bounces and beeps at once (`[{start, end, label}]`, seconds), `in_step` whether the sound belongs to the images,
    `delay` how many milliseconds late it is (0 in step, less than 0 early), `caption` what a person would say.

    A clip has at least one bounce that beeps, and bounces and beeps alone: neither the images nor the sound alone say
    which bounces beep. Of a clip out of step the whole sound is late or early, and no beep is left by a bounce. Its
    moments go round on a circle, so that they are no later or earlier than in other clips, and the sound alone says
    nothing of it.

    Args:
        folder: where to.
        clips: part → how many; 2,000, 200 and 500 where it is None.

    Raises:
        MissingExtra: `plait[video]` is not installed.
    """
    tables = []
    for number, (part, count) in enumerate((clips or CLIPS).items()):
        rows = []
        for place in range(count):
            clip = draw(np.random.default_rng([number, place]))
            name = Path("clips", f"{part}_{place:04}.mp4")
            with replacing(folder / name, tidy=False) as beside:
                beside.write_bytes(clip.pop("video"))
            rows.append((name.as_posix(), *clip.values()))
        columns = ["clip", "action", "events", "in_step", "delay", "caption"]
        tables.append(write_table(folder / f"{part}.csv", rows, columns))
    return tables


def draw(random: np.random.Generator) -> dict[str, Any]:
    """One clip: its file, and what is true of it."""
    colour, shape, action = (_one(random, of) for of in (tuple(COLOURS), SHAPES, ACTIONS))
    bounces, in_time, late, delay = _moments(random)
    in_step = bool(random.random() < 0.5)
    delay, beeps = (0.0, in_time) if in_step else (delay, late)
    frames = _frames(random, bounces, COLOURS[colour], shape, action)
    wave = _wave(random, [beep + random.uniform(0, TOGETHER) for beep in beeps])
    events = [
        {"start": round(m - 0.125, 3), "end": round(m + 0.125, 3), "label": "hit"} for m in bounces if m in in_time
    ]
    times = WORDS.get(len(beeps), f"{len(beeps)} times")
    return {
        "video": _encoded(frames, wave),
        "action": action,
        "events": json.dumps(events if in_step else []),
        "in_step": "yes" if in_step else "no",
        "delay": round(1000 * delay),
        "caption": f"a {colour} {shape} {action} and beeps {times}",
    }


def _one(random: np.random.Generator, of: tuple[str, ...]) -> str:
    return of[int(random.integers(len(of)))]


def _moments(random: np.random.Generator) -> tuple[list[float], list[float], list[float], float]:
    """When a shape bounces, when it beeps in step, when out of step, and by how many seconds.

    Three to five moments, apart from each other on their circle, of which one at least has both. All four are drawn
    for every clip, so that those out of step have the same moments as the others.
    """
    while True:
        count = int(random.integers(3, 6))
        moments = np.sort(random.uniform(FIRST, FIRST + ROUND, count))
        if (np.diff([*moments, moments[0] + ROUND]) <= APART).any():
            continue
        kinds = random.permutation(["both", *random.choice(["both", "bounce", "beep"], count - 1)])
        bounces = [float(moment) for moment, kind in zip(moments, kinds, strict=True) if kind != "beep"]
        in_time = [float(moment) for moment, kind in zip(moments, kinds, strict=True) if kind != "bounce"]
        delay = float(random.uniform(*DELAYS) * random.choice([-1, 1]))
        late = [FIRST + (beep - FIRST + delay) % ROUND for beep in in_time]
        if all(abs(bounce - beep) > NEAR for bounce in bounces for beep in late):
            return bounces, in_time, late, delay


def _frames(
    random: np.random.Generator, bounces: list[float], colour: tuple[int, int, int], shape: str, action: str
) -> np.ndarray:
    """`[T, S, S, 3]` uint8: the shape moves between the walls and turns round at exact moments."""
    radius = 4.0
    left, right = radius + 1, SIDE - radius - 1
    edges = [0.0, *bounces, SECONDS]
    walls = [left if (turn % 2) else right for turn in range(len(edges))]
    places = [float(random.uniform(left + 4, right - 4)), *walls[1 : len(bounces) + 1]]
    last = walls[len(bounces) + 1] if len(bounces) + 1 < len(walls) else left
    # After the last bounce it moves on at a usual speed, and need not reach the other wall.
    rest = SECONDS - edges[-2]
    places.append(places[-1] + np.sign(last - places[-1]) * min(abs(last - places[-1]) - 1, 12.0 * rest))
    times = (np.arange(round(SECONDS * FPS)) + 0.5) / FPS
    x = np.interp(times, edges, places)
    height = float(random.uniform(radius + 2, SIDE - radius - 2))
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="xy"), axis=-1) + 0.5
    frames = np.full((len(times), SIDE, SIDE, 3), 24, np.float64)
    speed = random.uniform(3, 6)
    for frame, moment, middle in zip(frames, times, x, strict=True):
        size = radius * (1 + 0.25 * moment / SECONDS) if action == "grows" else radius
        angle = speed * moment if action == "spins" else 0.0
        away = grid - [middle, height]
        turned = away @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        inside = np.abs(turned).max(axis=-1) if shape == "square" else np.linalg.norm(away, axis=-1)
        cover = np.clip(size - inside + 0.5, 0, 1)[..., None]
        dot = np.clip(1.5 - np.linalg.norm(turned - [size * 0.5, 0.0], axis=-1), 0, 1)[..., None]  # shows the turn
        frame[:] = frame * (1 - cover) + np.array(colour) * cover
        frame[:] = frame * (1 - dot) + 250 * dot
    return np.clip(frames + random.normal(0, 3, frames.shape), 0, 255).astype(np.uint8)


def _wave(random: np.random.Generator, beeps: list[float]) -> np.ndarray:
    """`[N]` float32: faint noise, and a beep of one pitch at each moment."""
    wave = 0.003 * random.normal(size=round(SECONDS * RATE))
    hertz = random.uniform(*HERTZ)
    for beep in beeps:
        start = round(beep * RATE)
        time = np.arange(min(round(BEEP * RATE), len(wave) - start)) / RATE
        if len(time):
            wave[start : start + len(time)] += 0.5 * np.sin(2 * np.pi * hertz * time) * np.exp(-time / (BEEP / 3))
    return wave.astype(np.float32)


def _encoded(frames: np.ndarray, wave: np.ndarray) -> bytes:
    """An MP4 of both."""
    av = import_extra("av", "video")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        images = container.add_stream("libx264", rate=FPS, options={"crf": "18", "preset": "veryfast"})
        images.width = images.height = SIDE
        images.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=RATE)
        sound.layout = "mono"
        for pixels in frames:
            for packet in images.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in images.encode():
            container.mux(packet)
        heard = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        heard.sample_rate, heard.pts = RATE, 0
        for packet in [*sound.encode(heard), *sound.encode()]:
            container.mux(packet)
    return file.getvalue()
