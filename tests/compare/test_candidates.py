"""What is compared."""

from plait.compare import candidates_of
from plait.fusion import FUSIONS


def test_candidates() -> None:
    names = [c.name for c in candidates_of(["a", "b", "c"])]
    assert names[:6] == ["a", "b", "c", "a + b", "a + c", "b + c"] and names[6:] == [
        *FUSIONS,
        "boosted",
        "linear",
        "kernel_sum",
        "kernel_product",
    ]
