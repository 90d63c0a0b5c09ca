"""Which tokens may come next: rules that change a step's scores before a token is chosen."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from plait.generation.settings import GenerationSettings

NEVER = float("-inf")


class AnswerTree:
    """The only answers that may be generated, as a tree of tokens.

    Args:
        answers: token ids of each, without the end; duplicates are allowed.
        end: the token that ends an answer.

    Raises:
        ValueError: there is no answer, or one has no token.
    """

    def __init__(self, answers: Iterable[Sequence[int]], end: int) -> None:
        self.end = end
        self.children: list[dict[int, int]] = [{}]
        count = 0
        for ids in answers:
            if not len(ids):
                raise ValueError("an answer to choose from is empty")
            node = 0
            for token in (*ids, end):
                if token not in self.children[node]:
                    self.children[node][token] = len(self.children)
                    self.children.append({})
                node = self.children[node][token]
            count += 1
        if not count:
            raise ValueError("there are no answers to choose from")

    @property
    def longest(self) -> int:
        """The number of tokens of the longest answer, with its end."""
        depth, level = 0, [0]
        while any(self.children[node] for node in level):
            level = [child for node in level for child in self.children[node].values()]
            depth += 1
        return depth

    def allowed(self, prefix: Sequence[int]) -> list[int]:
        """Tokens that may follow those generated so far; only the end where these begin no answer."""
        node = 0
        for token in prefix:
            node = self.children[node].get(token, -1)
            if node < 0:
                return [self.end]
        return list(self.children[node]) or [self.end]


def adjusted(
    scores_RV: Tensor,
    said_RT: Tensor,
    settings: GenerationSettings,
    end: int,
    first: Sequence[int],
    tree: AnswerTree | None,
) -> Tensor:
    """Scores of the next token, after the rules about repetition, least length and the tree of answers.

    Args:
        scores_RV: logits or log-probabilities, a row for each hypothesis.
        said_RT: tokens so far.
        settings: of the search.
        end: the end token.
        first: tokens before the first generated one, which count as repeated too.
        tree: the answers to choose from, or None.
    """
    if settings.repetition_penalty != 1:
        before = torch.tensor(first, dtype=said_RT.dtype, device=said_RT.device).expand(len(said_RT), -1)
        earlier = torch.cat([before, said_RT], dim=1)
        # Logits have either sign: a negative one is multiplied, so that it falls too.
        earlier_scores = scores_RV.gather(1, earlier)
        earlier_scores = torch.where(
            earlier_scores < 0,
            earlier_scores * settings.repetition_penalty,
            earlier_scores / settings.repetition_penalty,
        )
        scores_RV = scores_RV.scatter(1, earlier, earlier_scores)
    if said_RT.shape[1] < settings.min_length:
        scores_RV = scores_RV.clone()
        scores_RV[:, end] = NEVER
    if tree is not None:
        restricted = torch.full_like(scores_RV, NEVER)
        for row, tokens in enumerate(said_RT.tolist()):
            allowed = torch.tensor(tree.allowed(tokens), device=restricted.device)
            restricted[row, allowed] = scores_RV[row, allowed]
        scores_RV = restricted
    return scores_RV


def narrowed(scores_RV: Tensor, settings: GenerationSettings) -> Tensor:
    """Scores to draw from: divided by the temperature, then cut to the top k, then to the top share."""
    scores_RV = scores_RV / settings.temperature
    if settings.top_k:
        least = scores_RV.topk(min(settings.top_k, scores_RV.shape[1])).values[:, -1:]
        scores_RV = scores_RV.masked_fill(scores_RV < least, NEVER)
    if settings.top_p < 1:
        ordered, places = scores_RV.sort(dim=1, descending=True)
        share = ordered.softmax(dim=1)
        beyond = share.cumsum(dim=1) - share >= settings.top_p  # likelier tokens make up the share without it
        scores_RV = scores_RV.masked_fill(beyond.scatter(1, places, beyond), NEVER)
    return scores_RV
