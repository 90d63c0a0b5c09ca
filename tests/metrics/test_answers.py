"""Scores of short answers and of ranked ones, against numbers worked by hand and scikit-learn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.metrics.answers import anls, exact_match, relaxed_accuracy, vqa_accuracy, vqa_normalised


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
