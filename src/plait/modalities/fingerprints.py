"""64-bit fingerprints that near duplicates nearly share: of an image's gradients, of a text's word pairs."""

import hashlib
import itertools
import re
from typing import TYPE_CHECKING

from plait import former_names

if TYPE_CHECKING:  # torch is imported only when a fingerprint is computed
    import numpy as np
    from torch import Tensor


def image_fingerprint(pixels: "Tensor") -> int:
    """Difference hash: which of 8 x 8 cells are brighter than their right neighbour.

    Survives rescaling and recompression, not cropping. An image without gradients has no fingerprint of its own:
    all flat images share 0.

    Args:
        pixels: `[3, H, W]` uint8.
    """
    import torch.nn.functional as F

    grey = pixels.float().mean(dim=0, keepdim=True).unsqueeze(0)
    small = F.interpolate(grey, size=(8, 9), mode="bilinear", antialias=True, align_corners=False)[0, 0]
    bits = (small[:, :-1] > small[:, 1:] + 0.5).flatten().tolist()
    return sum(1 << position for position, bit in enumerate(bits) if bit)


def sound_fingerprint(wave: "np.ndarray", rate: int = 16_000) -> int:
    """Where in 8 stretches of time and 8 mel bands a sound is louder than the time and the band by themselves are.

    Survives recompression and another loudness; silence and steady tones have no fingerprint of their own, 0.

    Args:
        wave: `[N]` samples.
        rate: Hz.
    """
    import torch
    import torch.nn.functional as F

    from plait.processors.spectrum import decibels, mel_spectrum

    bands = decibels(mel_spectrum(torch.from_numpy(wave)[None], rate, 32, rate // 40, rate // 100))
    small = F.adaptive_avg_pool2d(bands, (8, 8))[0]
    own = small - small.mean(dim=0, keepdim=True) - small.mean(dim=1, keepdim=True) + small.mean()
    bits = (own > 0.5).flatten().tolist()  # decibels
    return sum(1 << position for position, bit in enumerate(bits) if bit)


def text_fingerprint(text: str) -> int:
    """Simhash (Charikar, STOC 2002) over words and pairs of neighbouring words, case and punctuation folded."""
    import numpy as np

    words = re.findall(r"\w+", text.casefold())
    counts = np.zeros(64, dtype=np.int64)
    for token in words + [f"{a} {b}" for a, b in itertools.pairwise(words)]:
        digest = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "little")
        counts += np.where((digest >> np.arange(64, dtype=np.uint64)) & np.uint64(1), 1, -1)
    return sum(1 << position for position in np.flatnonzero(counts > 0).tolist())


__getattr__ = former_names(
    __name__,
    {
        "picture_fingerprint": "plait.modalities.fingerprints.image_fingerprint",
    },
)
