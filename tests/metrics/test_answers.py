"""Scores of short answers and of ranked ones, against numbers worked by hand and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from plait.metrics.answers import anls, exact_match, relaxed_accuracy, vqa_accuracy, vqa_normalised
from plait.metrics.dialog import rank_metrics, ranks_of_scores, visdial_ndcg


@pytest.mark.parametrize(
    ("said", "compared"),
    [
        ("The Two dogs,", "2 dogs"),
        ("dont know", "don't know"),
        ("1,000 people", "1000 people"),
        ("3.5", "3.5"),
        ("U.S.", "us"),
        ("black/white", "black white"),
        ("a / b", "b"),
        ("none", "0"),
        ("they are well", "they are well"),
        ("Couldnt've, couldn'tve", "couldn't've couldn't've"),
        ("yall'll ows'at y'alld've", "y'all'll ows'at y'all'd've"),
        ("Im sure lets go somebody'd", "im sure lets go somebodyd"),
        (" ".join([".x"] * 34), " ".join(["x"] * 32 + [".x"] * 2)),
    ],
)
def test_answers_are_normalised_as_officially(said: str, compared: str) -> None:
    assert vqa_normalised(said) == compared


def test_vqa_accuracy_leaves_one_person_out() -> None:
    people = ["red"] * 3 + ["blue"] * 7
    # red: of the three who said it each leaves two, 2/3; of the seven others each leaves three, 1
    assert vqa_accuracy(["red"], [people])[0] == pytest.approx((3 * 2 / 3 + 7) / 10)
    assert vqa_accuracy(["green"], [people])[0] == 0
    assert vqa_accuracy(["Red"], [["red"] * 10])[0] == 0  # where all agree nothing is normalised, not even capitals
    assert vqa_accuracy([" red\n"], [["red"] * 10])[0] == 1
    assert vqa_accuracy(["Red"], [["red"] * 9 + ["RED"]])[0] == 1
    assert vqa_accuracy(["the red"], [["red"] * 10])[0] == 0  # where all agree nothing is normalised
    assert vqa_accuracy(["the red"], [["red"] * 9 + ["pink"]])[0] == 1


@given(st.text(max_size=30))
def test_normalising_keeps_what_it_made(text: str) -> None:
    once = vqa_normalised(text)
    assert once == " ".join(once.split())
    assert exact_match([text], [[text]])[0] == 1


def test_letters_and_numbers() -> None:
    assert anls(["abcd", "xyz", ""], [["abce", "zzzz"], ["abc"], ["a"]]).tolist() == [0.75, 0.0, 0.0]
    assert relaxed_accuracy(["105", "106", "ten", "1,000"], [["100"], ["100"], ["Ten"], ["1000"]]).tolist() == [
        1,
        0,
        1,
        1,
    ]


def test_ranks() -> None:
    assert ranks_of_scores(np.array([[1.0, 3.0, 2.0]])).tolist() == [[3, 1, 2]]
    alike = np.full((3, 100), -35.2)
    assert (ranks_of_scores(alike) == 100).all()  # the true option gains nothing by its place
    relevance = np.r_[np.ones(5), np.zeros(95)]
    assert visdial_ndcg([ranks_of_scores(alike[0])], [relevance]) == 0
    found = rank_metrics(np.array([1, 3, 7, 20]))
    assert found == {
        "mrr": pytest.approx((1 + 1 / 3 + 1 / 7 + 1 / 20) / 4),
        "r1": 0.25,
        "r5": 0.5,
        "r10": 0.75,
        "mean_rank": 7.75,
    }


def test_ndcg_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(20, 100))
    relevance = np.where(random.random((20, 100)) < 0.9, 0.0, random.random((20, 100)).round(1))
    ours = visdial_ndcg(list(ranks_of_scores(scores)), list(relevance))
    theirs = np.mean(
        [ndcg_score(r[None], s[None], k=int((r > 0).sum())) for r, s in zip(relevance, scores, strict=True)]
    )
    assert ours == pytest.approx(theirs)
