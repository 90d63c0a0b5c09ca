"""What tasks draw, by hand."""

import numpy as np

from plait.tasks import Classification
from plait.tasks.figures import MOST_CLASSES, MOST_LABELS, confusion_of, differing_classes, label_f1


def test_confusions_are_counted_truth_by_answer() -> None:
    truth = np.array([0, 0, 1, 2, 2])
    said = np.eye(3)[[0, 1, 1, 2, 0]]
    figure = confusion_of(truth, said, ["a", "b", "c"])
    counts, names = figure.data
    assert figure.kind == "confusion" and names == ["a", "b", "c"]
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_of_many_classes_the_rare_ones_are_drawn_together() -> None:
    classes = [f"c{n}" for n in range(MOST_CLASSES + 2)]
    truth = np.array([n for n in range(2, MOST_CLASSES + 2) for _ in range(2)] + [0, 1])  # 0 and 1 once, others twice
    answers = np.where(truth == 0, 5, truth)  # 0 is taken for 5
    counts, names = confusion_of(truth, np.eye(len(classes))[answers], classes).data
    assert names == [*classes[2:], "others"] and counts.shape == (MOST_CLASSES + 1, MOST_CLASSES + 1)
    assert counts.sum() == len(truth) and counts[3, 3] == 2
    assert counts[-1, 3] == 1 and counts[-1, -1] == 1  # the one for 5, and 1, which is rare and right


def test_f1_of_labels_by_hand() -> None:
    truth = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0]])
    said = np.array([[0.9, 0.6, 0.1], [0.4, 0.5, 0.2], [0.8, 0.1, 0.3]])
    found = label_f1(truth, said, ["p", "q", "r"])
    assert list(found) == ["p", "q", "r"]  # the most frequent first
    assert found == {"p": 2 * 2 / (2 + 3), "q": 2 * 1 / (2 + 1), "r": 0.0}
    many = np.tile(np.arange(MOST_LABELS + 5) >= 5, (2, 1)).astype(float)
    assert "l0" not in label_f1(many, many, [f"l{n}" for n in range(MOST_LABELS + 5)])


def test_classes_are_the_same_in_words_and_order() -> None:
    assert differing_classes(Classification([1, 2]), Classification(["1", "2"])) is None
    assert differing_classes(Classification(["a", "b"]), Classification(["b", "a"])) == "other classes"
    assert differing_classes(Classification(["a", "b"]), Classification(["a", "b", "c"])) == "other classes"
