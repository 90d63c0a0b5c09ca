"""What is compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from plait.build.fitted import BOOSTED, FITTED
from plait.errors import RecipeError, unknown
from plait.fusion import FUSIONS


@dataclass(frozen=True)
class Candidate:
    """One model to train.

    Args:
        name: a fusion, or the modalities that it sees.
        kind: `single`, `subset`, `fusion`, `closed_form`, `boosted` or `baseline`.
        modalities: the inputs that it sees.
        method: how it fuses them.
    """

    name: str
    kind: str
    modalities: tuple[str, ...]
    method: str


def candidates_of(
    modalities: Sequence[str], fusions: Sequence[str] | None = None, without: Sequence[str] = (), fittable: bool = False
) -> list[Candidate]:
    """Each modality alone, each pair where there are three or more, each fusion of all, and what needs no loop.

    Args:
        modalities: the inputs of the table.
        fusions: only these (`boosted` and `linear` among them); None for all but those in `without`.
        without: fusions that make no sense here.
        fittable: each modality alone is also answered by the closed forms, which may be stronger than a network.

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
    if fittable:  # of one modality a sum and a product of kernels are the same
        fits = {"linear": "linear", "kernel": "kernel_sum"}
        candidates += [Candidate(f"{n}, {label}", "single", (n,), fit) for n in every for label, fit in fits.items()]
    if len(every) > 2:
        candidates += [Candidate(" + ".join(pair), "subset", pair, "concat") for pair in combinations(every, 2)]
    every_method = [name for name in (*FUSIONS, *FITTED) if name not in without]
    chosen = every_method if fusions is None else list(dict.fromkeys(fusions))
    return candidates + [Candidate(name, _kind(name), every, name) for name in chosen]


def _kind(method: str) -> str:
    if method in FITTED:
        return BOOSTED if method == BOOSTED else "closed_form"
    return "fusion"


def check_fusions(names: Sequence[str] | None) -> None:
    """Refuse a name that no fusion has; no table is needed for it, and no work is lost.

    Raises:
        RecipeError: it names the nearest.
    """
    for name in names or ():
        if name not in FUSIONS and name not in FITTED:
            raise RecipeError(unknown("fusion", name, [*FUSIONS, *FITTED]))
