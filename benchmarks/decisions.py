"""Does `plait compare` decide the same whatever the seed? Ten seeds of three tables, one line each.

`python -m benchmarks.decisions FOLDER [FIRST LAST]`: easy-VQA and Tux Paint, on which a second modality helps, and the
sentiment of emoji, on which it should not. Each seed cuts other folds, draws other weights and, of easy-VQA, other
rows. Answers are kept in FOLDER, so that the script goes on where it was stopped.
"""

import json
import sys
from pathlib import Path

from plait.compare import compare
from plait.datasets import get_dataset
from plait.recipe import Recipe
from plait.runs.presets import apply_preset, preset_of

PRESET = "fast"
TABLES = {
    "tuxpaint": ({"types": {"group": "ignore"}}, "kind", None),
    "easy-vqa": ({"group": "image"}, "answer", 1500),
    "emoji-sentiment": ({}, "sentiment", None),
}


def decide(folder: Path, name: str, seed: int) -> dict:
    """One comparison: what it decided, who was picked, and the cross-fitted scores."""
    kept = folder / f"{name}-{seed}.json"
    if kept.exists():
        found: dict = json.loads(kept.read_text())
        return found
    data, target, rows = TABLES[name]
    table = get_dataset(name, folder / "data" / name)[0]
    values = {"data": {**data, "train": str(table)}, "task": {"target": target}, "train": {"seed": seed}}
    recipe, _ = apply_preset(Recipe.parse(values), PRESET)
    output = folder / f"{name}-{seed}"
    comparison = compare(recipe, output=output, fusions=preset_of(PRESET).methods, rows=rows, verbose=False)
    crossed = comparison.best_cross_fitted
    assert crossed is not None
    closed = [row.score for row in comparison.rows if row.kind == "closed_form"]
    found = {
        "decision": comparison.decision,
        "cross_fitted": crossed.score,
        "single": crossed.single_score,
        "difference": [crossed.versus_single.difference, crossed.versus_single.low, crossed.versus_single.high],
        "pick": comparison.best,
        "closed_form": (max if comparison.higher_is_better else min)(closed),
        "converged": comparison.converged,
        "seconds": round(comparison.seconds),
    }
    kept.write_text(json.dumps(found))
    return found


def main() -> None:
    """Print a line a comparison, as it comes."""
    folder = Path(sys.argv[1])
    first, last = (int(one) for one in sys.argv[2:4]) if len(sys.argv) > 3 else (0, 9)
    for seed in range(first, last + 1):
        for name in TABLES:
            print(name, seed, json.dumps(decide(folder, name, seed)), flush=True)


if __name__ == "__main__":
    main()
