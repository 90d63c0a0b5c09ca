"""Features → Tokens: one file a modality and family.

An encoder is an `nn.Module` with `out_dim`, `modality` and `processor`, and `forward(features) -> Tokens`.
`ENCODERS` names them as recipes do, `family:variant`; a bare family takes any variant (`timm:resnet50`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from plait.encoders.audio_cnn import AudioCNN
from plait.encoders.audio_hf import HfAudio
from plait.encoders.audio_statistics import AudioStatistics
from plait.encoders.audio_transformer import AudioTransformer
from plait.encoders.augment import Augment
from plait.encoders.dual_hf import HfDualImage, HfDualText
from plait.encoders.dual_open_clip import OpenClipImage, OpenClipText
from plait.encoders.image_cnn import ResidualCNN
from plait.encoders.image_timm import TimmImage
from plait.encoders.minirocket import MiniRocket
from plait.encoders.series_cnn import SeriesCNN
from plait.encoders.series_hf import HfSeries
from plait.encoders.series_statistics import SeriesStatistics
from plait.encoders.series_transformer import SeriesTransformer
from plait.encoders.speech_embedding import SpeechEmbedding
from plait.encoders.stored import StoredEncoder
from plait.encoders.tabular import TabularEncoder
from plait.encoders.text_bag import TextBag
from plait.encoders.text_cnn import TextCNN
from plait.encoders.text_pretrained import HfText
from plait.encoders.text_rnn import TextRNN
from plait.encoders.text_tfidf import TextTfidf
from plait.encoders.text_transformer import TextTransformer
from plait.encoders.tuning import frozen_parts_to_eval, set_trainable
from plait.encoders.video_cnn import VideoCNN
from plait.encoders.video_frames import VideoEncoder
from plait.encoders.video_hf import HfVideo
from plait.encoders.vlm_vision import VlmVision
from plait.encoders.weights import hash_weights

# What is built from scratch or brought by the user; those of a family take any variant (`timm:resnet50`).
ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "scratch:cnn": ResidualCNN,
    "scratch:transformer": TextTransformer,
    "scratch:gru": partial(TextRNN, cell="gru"),
    "scratch:lstm": partial(TextRNN, cell="lstm"),
    "scratch:textcnn": TextCNN,
    "scratch:bag": TextBag,
    "scratch:tfidf": TextTfidf,
    "scratch:tabular": TabularEncoder,
    "scratch:audio_cnn": AudioCNN,
    "scratch:audio_transformer": AudioTransformer,
    "fixed:audio_statistics": AudioStatistics,
    "packaged:speech-embedding": SpeechEmbedding,
    "scratch:video_cnn": VideoCNN,
    "scratch:series_cnn": SeriesCNN,
    "scratch:series_transformer": SeriesTransformer,
    "fixed:minirocket": MiniRocket,
    "fixed:series_statistics": SeriesStatistics,
    "timm": TimmImage,
    "hf": HfText,
}

# Family → modality → class. Of transformers' models `dual` align images and texts, `seeing` write about images.
PRETRAINED: dict[str, dict[str, type[nn.Module]]] = {
    "timm": {"image": TimmImage},
    "hf": {"text": HfText, "audio": HfAudio, "series": HfSeries, "video": HfVideo},
    "dual": {"text": HfDualText, "image": HfDualImage},
    "seeing": {"image": VlmVision},
    "open_clip": {"text": OpenClipText, "image": OpenClipImage},
}


def encoder_class(name: str) -> Any:
    """The class behind a name, which says what it reads and how its processor is fitted.

    >>> encoder_class("scratch:gru").modality
    'text'
    """
    made = ENCODERS[name]
    return made.func if isinstance(made, partial) else made


__all__ = [
    "ENCODERS",
    "PRETRAINED",
    "AudioCNN",
    "AudioStatistics",
    "AudioTransformer",
    "Augment",
    "HfAudio",
    "HfDualImage",
    "HfDualText",
    "HfSeries",
    "HfText",
    "HfVideo",
    "MiniRocket",
    "OpenClipImage",
    "OpenClipText",
    "ResidualCNN",
    "SeriesCNN",
    "SeriesStatistics",
    "SeriesTransformer",
    "SpeechEmbedding",
    "StoredEncoder",
    "TabularEncoder",
    "TextBag",
    "TextCNN",
    "TextRNN",
    "TextTfidf",
    "TextTransformer",
    "TimmImage",
    "VideoCNN",
    "VideoEncoder",
    "VlmVision",
    "encoder_class",
    "frozen_parts_to_eval",
    "hash_weights",
    "set_trainable",
]
