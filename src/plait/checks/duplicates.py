"""Near duplicates by 64-bit fingerprints; see `plait.modalities.fingerprints`."""

from collections import defaultdict
from collections.abc import Sequence

from plait import former_names

NEAR = 3  # bits of 64 that near duplicates may differ in


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
        match = next(near, None)
        if match is not None:
            matches.append((number, match))
    return matches


__getattr__ = former_names(
    __name__,
    {
        "picture_fingerprint": "plait.modalities.fingerprints.image_fingerprint",
        "text_fingerprint": "plait.modalities.fingerprints.text_fingerprint",
    },
)
