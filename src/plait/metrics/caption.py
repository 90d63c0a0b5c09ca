"""Scores of captions against references, under the names that COCO's evaluation gives them."""

from collections.abc import Mapping, Sequence

import numpy as np

from plait.metrics.bleu import Bleu
from plait.metrics.cider import Cider
from plait.metrics.meteor import Meteor, Synonyms
from plait.metrics.ngrams import ORDER, NGrams
from plait.metrics.rouge_l import RougeL
from plait.metrics.words import caption_words

CAPTION_METRICS = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr")
NO_CIDER = "all references hold the same words, so none tells one image from another"


class CaptionScorer:
    """BLEU, METEOR, ROUGE-L and CIDEr-D of captions; the references are prepared once.

    Args:
        references: of each image, one text or several.
        synonyms: word → names of its meanings, for METEOR's third stage.

    Raises:
        ValueError: an image has no reference.

    >>> scorer = CaptionScorer([["A red bird.", "One bird in red."], ["Two fish."]])
    >>> {name: round(value, 3) for name, value in scorer.score(["a red bird", "a fish"], ["Bleu_1", "CIDEr"]).items()}
    {'Bleu_1': 0.8, 'CIDEr': 2.856}
    """

    def __init__(self, references: Sequence[Sequence[str]], synonyms: Synonyms | None = None) -> None:
        empty = [place for place, texts in enumerate(references) if not len(texts)]
        if empty:
            raise ValueError(f"image {empty[0]} has no reference (and {len(empty) - 1} others)")
        words = [[caption_words(text) for text in texts] for texts in references]
        image = np.repeat(np.arange(len(words)), [len(texts) for texts in words])
        self.grams = NGrams([text for texts in words for text in texts])
        self.bleu, self.cider = Bleu(self.grams, image), Cider(self.grams, image)
        self.rouge_l, self.meteor = RougeL(words), Meteor(words, synonyms)

    def score(self, texts: Sequence[str], names: Sequence[str] | None = None) -> dict[str, float]:
        """The corpus' scores, all or the named ones; text i is about image i.

        CIDEr is left out where it is not defined: of one image, or of references that are all alike.

        Raises:
            ValueError: there are more or fewer texts than images.
        """
        return self._scores(texts, names)[0]

    def score_each(self, texts: Sequence[str], names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """`[N]` scores of each text, all or the named ones, as far as they are defined."""
        return self._scores(texts, names)[1]

    def _scores(
        self, texts: Sequence[str], names: Sequence[str] | None
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        if len(texts) != len(self.rouge_l.prepared):
            raise ValueError(f"expected {len(self.rouge_l.prepared)} texts, one an image, got {len(texts)}")
        wanted = set(CAPTION_METRICS if names is None else names)
        words = [caption_words(text) for text in texts]
        counts, lengths = self.grams.of(words)
        whole: dict[str, float] = {}
        each: dict[str, np.ndarray] = {}
        if any(name.startswith("Bleu_") for name in wanted):
            corpus, rows = self.bleu.score(counts, lengths)
            for n in range(ORDER):
                whole[f"Bleu_{n + 1}"], each[f"Bleu_{n + 1}"] = float(corpus[n]), rows[n]
        if "METEOR" in wanted:
            whole["METEOR"], each["METEOR"] = self.meteor.score(words)
        if "ROUGE_L" in wanted:
            each["ROUGE_L"] = self.rouge_l.score(words)
        if not self.cider.is_defined:
            wanted -= {"CIDEr"}
        if "CIDEr" in wanted:
            each["CIDEr"] = self.cider.score(counts, lengths)
        for name in ("ROUGE_L", "CIDEr"):
            if name in each:
                whole[name] = float(each[name].mean()) if len(texts) else 0.0
        ordered = [name for name in CAPTION_METRICS if name in wanted]
        return {name: whole[name] for name in ordered}, {name: each[name] for name in ordered}

    def consensus(self, texts: Sequence[str], about: np.ndarray) -> np.ndarray:
        """`[N]` CIDEr-D of texts about images of any number and order: the reward of self-critical training."""
        counts, lengths = self.grams.of([caption_words(text) for text in texts])
        return self.cider.score(counts, lengths, about)


def score_captions(
    references: Mapping[str, Sequence[str]], captions: Mapping[str, str], names: Sequence[str] | None = None
) -> dict[str, float]:
    """Scores of captions by image against references by image.

    Raises:
        ValueError: an image of one is not in the other.
    """
    lacking = [key for key in references if key not in captions] + [key for key in captions if key not in references]
    if lacking:
        raise ValueError(f"image {lacking[0]!r} has a caption or references, not both (and {len(lacking) - 1} others)")
    keys = list(references)
    return CaptionScorer([references[key] for key in keys]).score([captions[key] for key in keys], names)
