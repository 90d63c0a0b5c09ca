"""What is compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from plait.build.model import BOOSTED
from plait.errors import RecipeError, unknown
from plait.fusion import FUSIONS


@dataclass(frozen=True)
class Candidate:
    """One model to train.

    Args:
        name: a fusion, or the modalities that it sees.
        kind: `single`, `subset`, `fusion` or `boosted`.
        modalities: the inputs that it sees.
        method: how it fuses them.
    """

    name: str
    kind: str
    modalities: tuple[str, ...]
    method: str


def candidates_of(modalities: Sequence[str], fusions: Sequence[str] | None = None) -> list[Candidate]:
    """Each modality alone, each pair where there are three or more, each fusion of all, and boosted trees.

    Args:
        modalities: the inputs of the table.
        fusions: only these (`boosted` among them); None for all.

    Raises:
        RecipeError: a fusion is unknown, or there is one modality only.

    >>> [c.name for c in candidates_of(["title", "photo"], ["concat", "boosted"])]
    ['title', 'photo', 'concat', 'boosted']
    """
    if len(modalities) < 2:
        raise RecipeError(f"there is nothing to fuse: the only modality is {', '.join(modalities) or 'none'}")
    check_fusions(fusions)
    every = tuple(modalities)
    candidates = [Candidate(name, "single", (name,), "concat") for name in every]
    if len(every) > 2:
        candidates += [Candidate(" + ".join(pair), "subset", pair, "concat") for pair in combinations(every, 2)]
    chosen = [*FUSIONS, BOOSTED] if fusions is None else list(dict.fromkeys(fusions))
    return candidates + [Candidate(name, BOOSTED if name == BOOSTED else "fusion", every, name) for name in chosen]


def check_fusions(names: Sequence[str] | None) -> None:
    """Refuse a name that no fusion has; no table is needed for it, and no work is lost.

    Raises:
        RecipeError: it names the nearest.
    """
    for name in names or ():
        if name not in FUSIONS and name != BOOSTED:
            raise RecipeError(unknown("fusion", name, [*FUSIONS, BOOSTED]))
