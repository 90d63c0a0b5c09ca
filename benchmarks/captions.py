"""Caption scores: plait against pycocoevalcap on 5,000 images with five references each."""

import random
from functools import partial
from typing import Any

import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from benchmarks.measure import Row, interleaved, rate, row
from plait.metrics import bleu, cider, rouge_l
from plait.metrics.ngrams import NGrams

PICTURES, REFERENCES = 5_000, 5


def run() -> list[Row]:
    """Captions a second of BLEU, ROUGE-L and CIDEr together, on words; the scores are equal."""
    references, captions = _texts()
    picture = np.repeat(np.arange(PICTURES), REFERENCES)
    truth = {n: [" ".join(words) for words in texts] for n, texts in enumerate(references)}
    said = {n: [" ".join(words)] for n, words in enumerate(captions)}

    def prepare() -> tuple[Any, ...]:
        grams = NGrams([words for texts in references for words in texts])
        return grams, bleu.Bleu(grams, picture), cider.Cider(grams, picture), rouge_l.RougeL(references)

    def score(ready: tuple[Any, ...]) -> tuple[Any, ...]:
        counts, lengths = ready[0].of(captions)
        return ready[1].score(counts, lengths), ready[2].score(counts, lengths), ready[3].score(captions)

    def theirs() -> tuple[Any, ...]:
        scored = [peer.compute_score(truth, said) for peer in (Cider(), Rouge())]
        return (Bleu(4).compute_score(truth, said, verbose=0), *scored)

    ready = prepare()
    mine, peer = score(ready), theirs()
    away = max(np.abs(mine[0][1] - np.array(peer[0][1])).max(), np.abs(mine[1] - peer[1][1]).max())
    work = {"pycocoevalcap": theirs, "one pass": lambda: score(prepare()), "prepared": partial(score, ready)}
    rates = interleaved({name: partial(rate, partial(_count, one)) for name, one in work.items()})
    found = [row("captions: pycocoevalcap", rates["pycocoevalcap"], "captions/s", "", None)]
    for name, label in (("one pass", "plait, one pass"), ("prepared", "plait, references prepared")):
        ratio = rates[name] / rates["pycocoevalcap"]
        found.append(row(f"captions: {label}", rates[name], "captions/s", "pycocoevalcap", ratio))
    return [*found, row("captions: largest difference of a score", float(away), "", "pycocoevalcap", None)]


def _count(work: Any) -> int:
    work()
    return PICTURES


def _texts() -> tuple[list[list[list[str]]], list[list[str]]]:
    """References that share words as people's do, and captions between them; words are as frequent as in English."""
    chance = random.Random(0)
    words = [f"w{n}" for n in range(5_000)]
    weights = [1 / (n + 3) for n in range(5_000)]

    def some(count: int) -> list[str]:
        return chance.choices(words, weights, k=count)

    references, captions = [], []
    for _ in range(PICTURES):
        base = some(chance.randint(8, 14))
        versions = [[w if chance.random() < 0.6 else some(1)[0] for w in base] for _ in range(REFERENCES + 1)]
        references.append(versions[:-1])
        captions.append(versions[-1])
    return references, captions
