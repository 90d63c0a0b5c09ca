"""What every decoder promises, over the dict of them."""

from typing import Any

import pytest
import torch

from fakes import fake_tokens
from plait.decoders import DECODERS
from plait.generation.search import NONE, generate
from plait.generation.settings import GenerationSettings
from plait.types import Tokens

VOCAB, DIM = 30, 8


def made(name: str, seed: int = 0, **options: Any) -> Any:
    torch.manual_seed(seed)
    more = {"transformer": {"layers": 2, "heads": 2}}.get(name, {})
    decoder = DECODERS[name](VOCAB, 0, 1, DIM, dim=16, max_length=12, **{**more, **options})
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return decoder.eval()


CASES: list[tuple[str, dict[str, Any]]] = [*((name, {}) for name in DECODERS), ("rnn", {"cell": "lstm"})]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_steps_say_what_the_whole_says(name: str, options: dict[str, Any]) -> None:
    decoder, context = made(name, **options), fake_tokens(4, 5, DIM)
    ids = torch.randint(2, VOCAB, (4, 6))
    logits, state = decoder.begin(context, 2, 8)
    stepped = [logits]
    for place in range(6):
        both = decoder.step(ids[:, place : place + 1].expand(-1, 2).contiguous(), state)
        torch.testing.assert_close(both[:, 0], both[:, 1])
        stepped.append(both[:, 1])
        state.select(torch.tensor([[1, 0]] * 4))
    whole = decoder(context, torch.cat([torch.zeros(4, 1, dtype=torch.int64), ids], dim=1))
    torch.testing.assert_close(torch.stack(stepped, dim=1), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_padding_of_the_context_says_nothing(name: str, options: dict[str, Any]) -> None:
    decoder, context = made(name, **options), fake_tokens(4, 5, DIM)
    ids = torch.randint(2, VOCAB, (4, 6))
    loud = Tokens(torch.where(context.mask[..., None], context.x, 1e3), context.mask)
    longer = Tokens(torch.cat([loud.x, loud.x], 1), torch.cat([context.mask, torch.zeros_like(context.mask)], 1))
    torch.testing.assert_close(decoder(longer, ids), decoder(context, ids), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_token_sees_none_that_follow(name: str, options: dict[str, Any]) -> None:
    decoder, context = made(name, **options), fake_tokens(3, 4, DIM)
    ids = torch.randint(2, VOCAB, (3, 6))
    other = ids.clone()
    other[:, 4:] = (other[:, 4:] + 3) % VOCAB
    torch.testing.assert_close(decoder(context, ids)[:, :4], decoder(context, other)[:, :4])
    assert not torch.allclose(decoder(context, ids)[:, 4], decoder(context, other)[:, 4])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_row_without_anything_to_see_answers(name: str, options: dict[str, Any]) -> None:
    decoder, context = made(name, **options), fake_tokens(3, 4, DIM, absent=(1,))
    logits = decoder(context, torch.zeros(3, 4, dtype=torch.int64))
    assert logits.isfinite().all()
    found = generate(decoder, context, GenerationSettings(max_length=5, beams=2))
    assert found.scores.isfinite().all() and (found.ids[1, 0] != NONE).any()
    decoder.train()
    loss = decoder(context, torch.zeros(3, 4, dtype=torch.int64)).square().mean()
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in decoder.parameters())


@pytest.mark.parametrize(("name", "options"), CASES)
def test_where_it_looks_sums_to_one_over_real_tokens(name: str, options: dict[str, Any]) -> None:
    decoder, context = made(name, **options), fake_tokens(4, 5, DIM)
    weights = decoder.looks(context, torch.randint(2, VOCAB, (4, 3)))
    assert weights.shape == (4, 3, 5)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(4, 3))
    assert (weights.transpose(1, 2)[~context.mask] == 0).all()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_beams_find_no_worse_than_greedy(name: str, options: dict[str, Any]) -> None:
    decoder, context = made(name, **options), fake_tokens(6, 5, DIM)
    settings = {"max_length": 4, "min_length": 3, "length_penalty": 0.0}
    greedy = generate(decoder, context, GenerationSettings(**settings)).scores[:, 0]
    beams = generate(decoder, context, GenerationSettings(**settings, beams=VOCAB)).scores[:, 0]
    assert (beams >= greedy - 1e-4).all() and (beams > greedy + 1e-3).any()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_it_learns_to_repeat_what_it_sees(name: str, options: dict[str, Any]) -> None:
    """Three tokens of context say which three words to write; only looking at the right one at the right time does."""
    torch.manual_seed(0)
    more = {"layers": 1, "heads": 2} if name == "transformer" else {}
    decoder = DECODERS[name](12, 0, 1, 16, dim=32, dropout=0.0, max_length=6, **{**more, **options})
    shown = torch.randn(10, 12)
    place = torch.eye(4)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=5e-3)

    def sample(rows: int) -> tuple[Tokens, torch.Tensor]:
        words = torch.randint(0, 10, (rows, 3))
        x = torch.cat([shown[words], place[:3].expand(rows, -1, -1)], dim=2)
        x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1)  # the place of the fused vector
        return Tokens(x, torch.ones(rows, 4, dtype=torch.bool)), words + 2

    for _ in range(400):
        context, words = sample(64)
        said = torch.cat([words, torch.ones(64, 1, dtype=torch.int64)], dim=1)
        logits = decoder(context, torch.cat([torch.zeros(64, 1, dtype=torch.int64), words], dim=1))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), said.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    decoder.eval()
    context, words = sample(100)
    found = generate(decoder, context, GenerationSettings(max_length=6)).ids[:, 0, :3]
    assert (found == words).all(dim=1).float().mean() > 0.9
    looked = decoder.looks(context, torch.cat([torch.zeros(100, 1, dtype=torch.int64), words[:, :2]], dim=1))
    if name == "rnn":
        assert (looked.argmax(dim=2) == torch.arange(1, 4)).float().mean() > 0.8
