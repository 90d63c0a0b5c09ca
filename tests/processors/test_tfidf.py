"""Words counted as scikit-learn counts them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from plait.encoders import TextTfidf
from plait.processors import TfidfProcessor

TEXTS = ["A red bird.", "a blue bird sits, a bird", "ein Grünes Huhn", "red red RED", "x"]


def vectors(processor: TfidfProcessor, texts: list[str]) -> np.ndarray:
    found: np.ndarray = TextTfidf(processor)(processor.collate([processor(text) for text in texts])).x[:, 0].numpy()
    return found


def test_the_vectors_are_scikit_learns() -> None:
    theirs = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit(TEXTS)
    ours = TfidfProcessor.train(TEXTS)
    assert list(ours.rarity) == list(theirs.get_feature_names_out())
    queries = [*TEXTS, "a red unknown word", "nothing known"]
    assert vectors(ours, queries) == pytest.approx(theirs.transform(queries).toarray(), abs=1e-6)
    few = TfidfProcessor.train(TEXTS, words=2)
    assert set(few.rarity) == {"red", "a"}  # four times, and three; of "bird", three too, the first in the alphabet


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_any_text_has_a_vector_of_length_one_or_none(texts: list[str]) -> None:
    processor = TfidfProcessor.train(texts)
    again = TfidfProcessor(**processor.to_json())
    lengths = np.linalg.norm(vectors(again, texts), axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
