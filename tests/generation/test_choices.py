"""The rules that change a step's scores, by hand."""

import pytest
import torch

from plait.generation.choices import NEVER, AnswerTree, adjusted, narrowed
from plait.generation.settings import GenerationSettings

END = 9


def test_a_tree_allows_what_some_answer_goes_on_with() -> None:
    tree = AnswerTree([[1, 2], [1, 3, 4], [5], [5]], END)
    assert sorted(tree.allowed([])) == [1, 5] and sorted(tree.allowed([1])) == [2, 3]
    assert tree.allowed([1, 2]) == [END] and tree.allowed([1, 2, END]) == [END]
    assert tree.allowed([7]) == [END]  # no answer begins so
    assert tree.longest == 4  # 1 3 4 and the end
    for answers in ([], [[1], []]):
        with pytest.raises(ValueError, match=r"no answers|is empty"):
            AnswerTree(answers, END)


def test_scores_of_what_was_said_and_of_an_early_end() -> None:
    scores = torch.tensor([[1.0, -2.0, 3.0, 4.0]])
    said = torch.tensor([[1]])
    penalised = adjusted(scores, said, GenerationSettings(repetition_penalty=2.0), 3, [2], None)
    assert penalised.tolist() == [[1.0, -4.0, 1.5, 4.0]]  # 1 was said, 2 stood before it
    early = adjusted(scores, said, GenerationSettings(min_length=2), 3, [], None)
    assert early.tolist() == [[1.0, -2.0, 3.0, NEVER]] and scores[0, 3] == 4.0
    assert adjusted(scores, torch.tensor([[1, 0]]), GenerationSettings(min_length=2), 3, [], None) is scores


def test_a_tree_holds_each_row_to_its_own_branch() -> None:
    scores = torch.arange(8.0).reshape(2, 4)
    found = adjusted(scores, torch.tensor([[0], [1]]), GenerationSettings(), 3, [], AnswerTree([[0, 2], [1]], 3))
    assert found.tolist() == [[NEVER, NEVER, 2.0, NEVER], [NEVER, NEVER, NEVER, 7.0]]


def test_drawing_is_narrowed_to_the_likeliest() -> None:
    shares = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
    scores = shares.log()
    assert torch.allclose(
        narrowed(scores, GenerationSettings(temperature=0.5)).softmax(1), shares**2 / (shares**2).sum()
    )
    top = narrowed(scores, GenerationSettings(temperature=1.0, top_k=1))
    assert top.isfinite().tolist() == [[True, False, False, False]]
    assert narrowed(scores, GenerationSettings(temperature=1.0, top_k=99)).isfinite().all()
    for share, kept in ((0.4, 1), (0.6, 2), (0.76, 3)):
        assert int(narrowed(scores, GenerationSettings(temperature=1.0, top_p=share)).isfinite().sum()) == kept, share
