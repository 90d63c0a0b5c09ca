"""Raw value → arrays → tensors: decoding, tokenising, scaling. No weights.

A processor is saved with the run and used by serving too, so that training and prediction prepare values alike. Its
output is as small as possible (uint8 pixels, int32 token ids); the encoder normalises it.
"""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from plait.errors import RunError, unknown
from plait.files.atomic import write_json
from plait.files.reading import made_of, read_json
from plait.processors.audio import AudioProcessor
from plait.processors.image import ImageProcessor
from plait.processors.minirocket import MiniRocketProcessor
from plait.processors.open_clip_text import OpenClipTextProcessor
from plait.processors.series import SeriesProcessor
from plait.processors.tabular import TabularProcessor
from plait.processors.target_text import TargetText
from plait.processors.text import TextProcessor
from plait.processors.tfidf import TfidfProcessor
from plait.processors.video import VideoProcessor
from plait.processors.words import WordsProcessor

Features = dict[str, np.ndarray]


@runtime_checkable
class Processor(Protocol):
    """One raw value → features, a list of features → a padded batch of tensors.

    `blank` gives the features of a value without content, such as an empty text.
    """

    def __call__(self, value: Any) -> Features: ...

    def collate(self, values: list[Features]) -> dict[str, Tensor]: ...

    def blank(self) -> Features: ...

    def to_json(self) -> dict[str, Any]: ...


PROCESSORS: dict[str, type] = {
    "audio": AudioProcessor,
    "image": ImageProcessor,
    "minirocket": MiniRocketProcessor,
    "open_clip_text": OpenClipTextProcessor,
    "series": SeriesProcessor,
    "tabular": TabularProcessor,
    "text": TextProcessor,
    "tfidf": TfidfProcessor,
    "video": VideoProcessor,
    "words": WordsProcessor,
}


def save_processor(processor: Processor, path: Path) -> None:
    """Write a processor as JSON, whole or not at all.

    Raises:
        RunError: it can't be written, or is not in `PROCESSORS`.
    """
    kind = next((name for name, cls in PROCESSORS.items() if type(processor) is cls), None)
    if kind is None:
        raise RunError(
            f"{type(processor).__name__} is none of {', '.join(PROCESSORS)}; a plugin offers it as PROCESSORS"
        )
    write_json(path, {"kind": kind, **processor.to_json()}, indent=None)


def load_processor(path: Path) -> Processor:
    """Read what `save_processor` wrote.

    Raises:
        RunError: the file is missing, damaged or of another version.
    """
    state: dict[str, Any] = read_json(path, dict[str, Any])
    kind = state.pop("kind", None)
    if not isinstance(kind, str) or kind not in PROCESSORS:
        raise RunError(f"{path}: {unknown('kind of processor', str(kind)[:60], PROCESSORS)}")
    processor: Processor = made_of(PROCESSORS[kind], state, path)
    return processor


__all__ = [
    "PROCESSORS",
    "AudioProcessor",
    "Features",
    "ImageProcessor",
    "MiniRocketProcessor",
    "OpenClipTextProcessor",
    "Processor",
    "SeriesProcessor",
    "TabularProcessor",
    "TargetText",
    "TextProcessor",
    "VideoProcessor",
    "WordsProcessor",
    "load_processor",
    "save_processor",
]
