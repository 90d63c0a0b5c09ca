"""Texts: sentences, descriptions, anything that is more than a name."""

from collections.abc import Sequence
from typing import Any

from plait.modalities.fingerprints import text_fingerprint
from plait.modalities.media import Opened
from plait.modalities.modality import Facts, Modality
from plait.modalities.noises import Noise, with_fewer_words, with_typos
from plait.modalities.sample import Sample

LONG = 5  # words: shorter texts recur by nature
DIFFERENT = 0.5  # share of a column's texts that are distinct; above it, a text that recurs is worth reporting


def recognise(sample: Sample) -> str | None:
    """Whatever no other modality recognises."""
    if sample.categorical:
        return None
    if sample.are_codes:
        return codes(sample)
    return sample.hint or f"{sample.words:.1f} words a cell, {sample.distinct:,} distinct"


def codes(sample: Sample) -> str:
    """The reason why a column of codes is taken for names and not for numbers."""
    return f"its {sample.distinct:,} values are codes, such as {sample.code}; --type {sample.name}=number reads them so"


def look(opened: Opened) -> Facts:
    """A text's fingerprint; any text can be used."""
    return Facts(text_fingerprint(opened.content) or None)


def recur(values: Sequence[str]) -> bool:
    """Whether texts are short, or most of them recur."""
    if len(set(values)) < DIFFERENT * len(values):
        return True
    return sum(len(value.split()) for value in values) < LONG * len(values)


def sample_cells() -> list[Any]:
    """Short and long texts, one in another script, and empty cells."""
    return ["a red bird on a branch", "企鹅", "x" * 2000, None, " "]


TEXT = Modality(
    name="text",
    short="txt",
    recognise=recognise,
    default="scratch:transformer",
    packaged="packaged:minilm",
    counted="scratch:tfidf",
    encoders=("hf:NAME", "packaged:minilm", "FOLDER", "open_clip:MODEL/WEIGHTS", "words"),
    processors=("text", "words", "open_clip_text", "tfidf"),
    fallback=True,
    words=True,
    by_length=True,
    noises={
        "typos": Noise((0.05, 0.1, 0.2, 0.4), "share of letters", lambda t, level, r, _: with_typos(t, level, r)),
        "word_drop": Noise(
            (0.1, 0.25, 0.5, 0.75), "share of words", lambda t, level, r, _: with_fewer_words(t, level, r)
        ),
    },
    look=look,
    recur=recur,
    sample_cells=sample_cells,
)
