"""Near duplicates by 64-bit fingerprints: a picture's gradients, a text's word pairs."""

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor

NEAR = 3  # bits of 64 that near duplicates may differ in


def picture_fingerprint(pixels: Tensor) -> int:
    """Difference hash: which of 8 x 8 cells are brighter than their right neighbour.

    Survives rescaling and recompression, not cropping. A picture without gradients has no fingerprint of its own:
    all flat pictures share 0.

    Args:
        pixels: `[3, H, W]` uint8.
    """
    grey = pixels.float().mean(dim=0, keepdim=True).unsqueeze(0)
    small = F.interpolate(grey, size=(8, 9), mode="bilinear", antialias=True, align_corners=False)[0, 0]
    bits = (small[:, :-1] > small[:, 1:] + 0.5).flatten().tolist()
    return sum(1 << position for position, bit in enumerate(bits) if bit)


def text_fingerprint(text: str) -> int:
    """Simhash (Charikar, STOC 2002) over words and pairs of neighbouring words, case and punctuation folded."""
    words = re.findall(r"\w+", text.casefold())
    counts = np.zeros(64, dtype=np.int64)
    for token in words + [f"{a} {b}" for a, b in itertools.pairwise(words)]:
        digest = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "little")
        counts += np.where((digest >> np.arange(64, dtype=np.uint64)) & np.uint64(1), 1, -1)
    return sum(1 << position for position in np.flatnonzero(counts > 0).tolist())


def near_matches(queries: Sequence[int], known: Sequence[int], most: int = NEAR) -> list[tuple[int, int]]:
    """For each query that has one, its position and that of a near fingerprint among the known.

    Two hashes that differ in at most 3 bits agree in at least one of four 16-bit quarters, so only those are compared.

    >>> near_matches([0b1011], [0b1111, 0])
    [(0, 0)]
    """
    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position, fingerprint in enumerate(known):
        for quarter in range(4):
            bucket = buckets[quarter, (fingerprint >> 16 * quarter) & 0xFFFF]
            if len(bucket) < 200:  # a crowded quarter says nothing; the others still find the pair
                bucket.append(position)
    matches = []
    for number, query in enumerate(queries):
        near = (
            candidate
            for quarter in range(4)
            for candidate in buckets.get((quarter, (query >> 16 * quarter) & 0xFFFF), ())
            if (known[candidate] ^ query).bit_count() <= most
        )
        found = next(near, None)
        if found is not None:
            matches.append((number, found))
    return matches
