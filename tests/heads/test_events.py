"""Steps that answer with their seconds."""

import pytest
import torch

from plait.heads import EventsHead, TagHead
from plait.heads.events import RARE
from plait.types import Fused, Tokens


def ticks(where: torch.Tensor | None) -> Tokens:
    return Tokens(torch.randn(2, 3, 4), torch.tensor([[True, True, True], [True, False, False]]), where)


def test_answers_carry_the_seconds_of_their_steps() -> None:
    where = torch.rand(2, 3, 2)
    head = EventsHead(TagHead("hits", None, 4, 8, out_dim=2, hidden=16, prior=RARE))
    said = head(Fused(torch.randn(2, 8), lambda: ticks(where)))["hits"]
    assert said.x.shape == (2, 3, 4) and torch.equal(said.x[..., 2:], where)
    assert (said.x[..., :2].sigmoid() < 0.1).all()  # nothing is learned yet, and most steps have no event


def test_an_input_may_answer_in_place_of_the_fusion() -> None:
    where = torch.rand(2, 3, 2)
    head = EventsHead(TagHead("hits", "clip", 4, 8, out_dim=1))
    said = head(Fused(torch.randn(2, 8), lambda: None, parts={"clip": ticks(where)}))["hits"]  # type: ignore[arg-type]
    assert torch.equal(said.x[..., 1:], where) and said.mask.sum() == 4


@pytest.mark.parametrize("where", [None, torch.zeros(2, 3, 4)])
def test_what_has_no_time_is_refused(where: torch.Tensor | None) -> None:
    with pytest.raises(ValueError, match="lies nowhere in time"):
        EventsHead(TagHead("hits", None, 4, 8, out_dim=1))(Fused(torch.zeros(2, 8), lambda: ticks(where)))
