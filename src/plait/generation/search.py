"""From a decoder's next-token scores to texts; the same code for every decoder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from plait.generation.choices import AnswerTree, adjusted, narrowed
from plait.generation.settings import GenerationSettings
from plait.types import Tokens

NONE = -1  # in place of a token after the end
LOW = -1e9  # the score of what must not win; unlike infinity it can be added and compared


class State(Protocol):
    """What a decoder remembers of the hypotheses so far."""

    def select(self, parents_BK: Tensor) -> None:
        """From now on, hypothesis k of row b continues the former hypothesis `parents_BK[b, k]`."""


class Decoder(Protocol):
    """Writes a token at a time. B rows, K hypotheses each, V tokens in the vocabulary."""

    end: int
    first: list[int]  # tokens before the first generated one, which count as repeated too

    def begin(self, context: Tokens, hypotheses: int, length: int) -> tuple[Tensor, State]:
        """Read the context once: `[B, V]` logits of the first token, and a state for up to `length` tokens."""

    def step(self, ids_BK: Tensor, state: State) -> Tensor:
        """`[B, K, V]` logits after one more token."""


@dataclass
class Generated:
    """Answers of each row, best first.

    Args:
        ids: `[B, N, L]` tokens, the end among them, then -1.
        scores: `[B, N]` log-probability over length to the power of the length penalty.
    """

    ids: Tensor
    scores: Tensor


@torch.no_grad()
def generate(
    decoder: Decoder,
    context: Tokens,
    settings: GenerationSettings,
    tree: AnswerTree | None = None,
    on_token: Callable[[Tensor], None] | None = None,
) -> Generated:
    """Answer each row of a context.

    Greedy and beam search give the tokens that transformers' `generate` gives; see the tests.

    Args:
        decoder: in evaluation mode.
        context: what it reads, `[B, T, H]`.
        settings: how to search.
        tree: answers to choose from; None for any text.
        on_token: called with the `[B]` tokens of each step as they are chosen; never where beams compete.
    """
    if settings.beams > 1:
        return _beam(decoder, context, settings, tree)
    if settings.best > 1:
        many = settings.best
        context = Tokens(context.x.repeat_interleave(many, dim=0), context.mask.repeat_interleave(many, dim=0))
    ids_RL, scores_R = _one_by_one(decoder, context, settings, tree, on_token)
    ids = ids_RL.view(-1, settings.best, ids_RL.shape[1])
    scores = scores_R.view(-1, settings.best)
    order = scores.argsort(dim=1, descending=True)
    return Generated(ids.gather(1, order[:, :, None].expand_as(ids)), scores.gather(1, order))


def _one_by_one(
    decoder: Decoder,
    context: Tokens,
    settings: GenerationSettings,
    tree: AnswerTree | None,
    on_token: Callable[[Tensor], None] | None,
) -> tuple[Tensor, Tensor]:
    """Greedy search or sampling: `[R, L]` tokens and `[R]` scores."""
    rows, device = len(context.x), context.x.device
    draws = torch.Generator(device=device).manual_seed(settings.seed) if settings.samples else None
    logits, state = decoder.begin(context, 1, settings.max_length)
    ids = torch.full((rows, settings.max_length), NONE, dtype=torch.int64, device=device)
    total, length = torch.zeros(rows, device=device), torch.zeros(rows, device=device)
    done = torch.zeros(rows, dtype=torch.bool, device=device)
    for place in range(settings.max_length):
        scores = adjusted(logits.float(), ids[:, :place].clamp(min=0), settings, decoder.end, decoder.first, tree)
        if draws is None:
            token = scores.argmax(dim=1)
        else:
            scores = narrowed(scores, settings)
            token = torch.multinomial(scores.softmax(dim=1), 1, generator=draws)[:, 0]
        likely = logits.float().log_softmax(dim=1).gather(1, token[:, None])[:, 0]
        total, length = total + likely.masked_fill(done, 0), length + (~done)
        ids[:, place] = token.masked_fill(done, NONE)
        done = done | (token == decoder.end)
        if on_token is not None:
            on_token(ids[:, place])
        if place + 1 == settings.max_length or bool(done.all()):
            break
        logits = decoder.step(token[:, None], state)[:, 0]
    return ids[:, : place + 1], total / length.clamp(min=1) ** settings.length_penalty


def _beam(decoder: Decoder, context: Tokens, settings: GenerationSettings, tree: AnswerTree | None) -> Generated:
    """Beam search: the K likeliest hypotheses run on; those that end compete by score with those that ended before.

    A row is done when it has K ended hypotheses, and no running one would beat the worst of them if it ended now.
    """
    rows, device, many = len(context.x), context.x.device, settings.beams
    first, state = decoder.begin(context, many, settings.max_length)
    vocabulary = first.shape[1]
    logits = first[:, None].expand(-1, many, -1)
    running_ids = torch.full((rows, many, settings.max_length), NONE, dtype=torch.int64, device=device)
    running = torch.full((rows, many), LOW, device=device)
    running[:, 0] = 0.0  # all hypotheses are one at first
    ended_ids, ended = running_ids.clone(), torch.full((rows, many), LOW, device=device)
    is_ended = torch.zeros(rows, many, dtype=torch.bool, device=device)
    goes_on = torch.ones(rows, 1, dtype=torch.bool, device=device)
    # Twice as many as run on: even if K of them end, K others are left.
    width = min(2 * many, many * vocabulary)
    among_best = torch.arange(width, device=device) < many
    for place in range(settings.max_length):
        # Every running hypothesis with every next token; the best of them all.
        likely = logits.float().log_softmax(dim=2).flatten(0, 1)
        likely = adjusted(likely, running_ids[:, :, :place].flatten(0, 1), settings, decoder.end, decoder.first, tree)
        sums = (likely.view(rows, many, vocabulary) + running[:, :, None]).flatten(1)
        best, flat = sums.clamp(min=2 * LOW).topk(width)
        parents, tokens = flat // vocabulary, flat % vocabulary
        grown = running_ids.gather(1, parents[:, :, None].expand(-1, -1, running_ids.shape[2]))
        grown[:, :, place] = tokens
        last = place + 1 == settings.max_length
        ends = (tokens == decoder.end) | last
        next_best, survivors = (best + ends * LOW).topk(many)

        # What ends now, among the best K, against what ended before.
        scores = best / (place + 1) ** settings.length_penalty + ~(ends & among_best) * LOW + ~goes_on * LOW
        merged = torch.cat([ended, scores], dim=1)
        ended, chosen = merged.topk(many)
        both = torch.cat([ended_ids, grown], dim=1)
        ended_ids = both.gather(1, chosen[:, :, None].expand(-1, -1, both.shape[2]))
        is_ended = torch.cat([is_ended, (ends & among_best)], dim=1).gather(1, chosen)

        # Those that did not end run on, unless no row of them could still win.
        running = next_best
        running_ids = grown.gather(1, survivors[:, :, None].expand(-1, -1, running_ids.shape[2]))
        worst = torch.where(is_ended, ended.min(dim=1, keepdim=True).values, torch.tensor(LOW, device=device))
        could_win = (running[:, :1] / (place + 1) ** settings.length_penalty > worst).any(dim=1, keepdim=True)
        goes_on = goes_on & could_win
        if last or not bool(goes_on.any()):
            break
        state.select(parents.gather(1, survivors))
        logits = decoder.step(tokens.gather(1, survivors), state)
    return Generated(ended_ids[:, : settings.best, : place + 1], ended[:, : settings.best])
