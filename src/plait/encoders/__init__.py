"""Features → Tokens: one file a modality and family.

An encoder is an `nn.Module` with `out_dim`, `modality` and `processor`, and `forward(features) -> Tokens`.
`ENCODERS` names them as recipes do, `family:variant`; a bare family takes any variant (`timm:resnet50`).
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from plait.encoders.augment import Augment
from plait.encoders.dual_hf import HfDualImage, HfDualText
from plait.encoders.dual_open_clip import OpenClipImage, OpenClipText
from plait.encoders.image_cnn import ResidualCNN
from plait.encoders.image_timm import TimmImage
from plait.encoders.stored import StoredEncoder
from plait.encoders.tabular import TabularEncoder
from plait.encoders.text_bag import TextBag
from plait.encoders.text_cnn import TextCNN
from plait.encoders.text_pretrained import HfText
from plait.encoders.text_rnn import TextRNN
from plait.encoders.text_transformer import TextTransformer
from plait.encoders.tuning import frozen_parts_to_eval, set_trainable
from plait.encoders.weights import hash_weights

ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "scratch:cnn": ResidualCNN,
    "scratch:transformer": TextTransformer,
    "scratch:gru": partial(TextRNN, cell="gru"),
    "scratch:lstm": partial(TextRNN, cell="lstm"),
    "scratch:textcnn": TextCNN,
    "scratch:bag": TextBag,
    "scratch:tabular": TabularEncoder,
    "timm": TimmImage,
    "hf": HfText,
}

__all__ = [
    "ENCODERS",
    "Augment",
    "HfDualImage",
    "HfDualText",
    "HfText",
    "OpenClipImage",
    "OpenClipText",
    "ResidualCNN",
    "StoredEncoder",
    "TabularEncoder",
    "TextBag",
    "TextCNN",
    "TextRNN",
    "TextTransformer",
    "TimmImage",
    "frozen_parts_to_eval",
    "hash_weights",
    "set_trainable",
]
