"""Video: some frames, each prepared as an image encoder's own processor prepares images."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from plait.errors import DataError, DataWarning
from plait.processors.frames import Clip, Picks, name_of, read_clip, remarks
from plait.processors.image import UNKNOWN_SIZE, ImageProcessor, Resize

FRAMES = 16
PICKS = ("frames", "fps", "seconds", "rate")  # options that say which frames are read, whatever prepares them
Frames = Annotated[int, Ge(1), Le(10_000)]
Fps = Annotated[float, Gt(0), Le(1_000)]
Seconds = Annotated[float, Gt(0), Le(360_000)]
LOOKED_AT = Picks(frames=1)


class VideoProcessor:
    """A video → some of its frames, and from which second to which each stands for it.

    Args:
        image: settings of the `ImageProcessor` that prepares a frame.
        frames: how many at most, evenly spread over the video.
        fps: frames a second instead, as far as `frames` allow; a long video then gives as many as `frames`, further
            apart.
        seconds: of the video, from its start.
        rate: frames a second of lists and folders of images, which don't say.
        exact: always as many frames as `frames`, for encoders that read no other number.

    Shapes: a video → `{"pixels": [F, S, S, 3] uint8, "where": [F, 2] float32}`.
    """

    def __init__(
        self,
        image: dict[str, Any],
        frames: Frames = FRAMES,
        fps: Fps | None = None,
        seconds: Seconds = 3_600.0,
        rate: Fps = 1.0,
        exact: bool = False,
    ) -> None:
        self.image = dict(image)
        self.frames, self.fps, self.seconds, self.rate, self.exact = frames, fps, seconds, rate, exact
        self.of_frames = ImageProcessor(**image)

    @classmethod
    def fit(
        cls,
        videos: Iterable[Path | str | bytes | tuple[Any, ...]],
        frames: Frames = FRAMES,
        fps: Fps | None = None,
        seconds: Seconds = 3_600.0,
        rate: Fps = 1.0,
        size: Annotated[int, Ge(1), Le(16_384)] | None = None,
        resize: Resize = "squash",
        interpolation: str = "bilinear",
        fill: int = 0,
    ) -> "VideoProcessor":
        """A processor for encoders from scratch: frames as large as the median shorter side, 32 to 128.

        Args:
            videos: of training rows; those that can't be read are ignored.
            frames, fps, seconds, rate: as above.
            size, resize, interpolation, fill: of a frame, as of `ImageProcessor`.
        """
        if size is None:
            sides = []
            for video in videos:
                try:
                    sides.append(min(read_clip(video, LOOKED_AT).frames[0].shape[:2]))
                except DataError:
                    continue
            size = int(np.clip(round(np.median(sides) / 8) * 8, 32, 128)) if sides else UNKNOWN_SIZE
        image = ImageProcessor(size, resize, interpolation=interpolation, fill=fill)
        return cls(image.to_json(), frames, fps, seconds, rate)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("image", "frames", "fps", "seconds", "rate", "exact")}

    def __call__(self, value: Path | str | bytes | tuple[Any, ...] | Clip) -> dict[str, np.ndarray]:
        """Decode the frames of one video; of a `Clip` they are decoded already.

        Raises:
            EmptyValue: it holds no images.
            DataError: it is missing, damaged, or of an unknown kind.
            MissingExtra: `plait[video]` is not installed.
        """
        clip = value if isinstance(value, Clip) else self.read(value)
        return {"pixels": np.stack(clip.frames), "where": clip.where.astype(np.float32)}

    def read(self, value: Path | str | bytes | tuple[Any, ...]) -> Clip:
        """The frames that are picked, each as large as the encoder reads it."""
        picks = Picks(self.frames, self.fps, self.seconds, self.rate, self.exact)
        clip = read_clip(value, picks, self.prepared)
        for kind, text in remarks(clip).items():
            if kind not in _said:
                _said.add(kind)
                warnings.warn(f"{name_of(value)}: {text} (said once; plait check lists all)", DataWarning, stacklevel=3)
        return clip

    def prepared(self, frame: np.ndarray) -> np.ndarray:
        """A frame `[H, W, 3]` as the encoder reads it, `[S, S, 3]`."""
        return self.of_frames.of_pixels(torch.from_numpy(frame).permute(2, 0, 1))

    def blank(self) -> dict[str, np.ndarray]:
        """A black frame."""
        return {"pixels": self.of_frames.blank()["pixels"][None], "where": np.zeros((1, 2), np.float32)}

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U videos → `{"pixels": [U, F, 3, S, S] uint8, "where": [U, F, 2], "mask": [U, F] bool}`, channels last in
        memory; videos of fewer frames are followed by black ones.
        """
        counts = [len(value["where"]) for value in values]
        most, size = max(counts), self.of_frames.size
        pixels = np.zeros((len(values), most, size, size, 3), np.uint8)
        where = np.zeros((len(values), most, 2), np.float32)
        for row, (value, count) in enumerate(zip(values, counts, strict=True)):
            pixels[row, :count], where[row, :count] = value["pixels"], value["where"]
        return {
            "pixels": torch.from_numpy(pixels).permute(0, 1, 4, 2, 3),
            "where": torch.from_numpy(where),
            "mask": torch.from_numpy(np.arange(most) < np.array(counts)[:, None]),
        }


_said: set[str] = set()
