"""A decoder at the end of a model: teacher-forced in training, otherwise generating."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from plait.generation.choices import AnswerTree
from plait.generation.search import generate
from plait.generation.settings import GenerationSettings
from plait.layers.pooling import vector_and_tokens
from plait.types import Fused, Generated, Tokens

CODE = 1  # columns of the target before the token ids


class WriteHead(nn.Module):
    """Writes one text per row from the fused vector and the fused tokens.

    The vector precedes the tokens as one more of them; a language model makes a prompt of them instead.

    Args:
        name: the target.
        decoder: writes the text.
        generation: settings of the search.
        dim: H of the fusion's output, which is normalised, since a product of vectors may be far larger than the tokens
            beside it. 0 for no norm, and for decoders that make a prompt of it.
        scheduled_sampling: in training, share of the decoder's input tokens that are replaced by its own predictions
            (1506.03099; in two passes, as 1906.07651 does for transformers).

    Shapes: Fused and the target `[B, 1 + L]`, a code and ids → in training logits `[B, L, V]`; otherwise `Generated`.

    >>> from plait.decoders import TextTransformer
    >>> from plait.types import Tokens
    >>> decoder = TextTransformer(20, 0, 1, context_dim=8, dim=8, heads=2, layers=1)
    >>> head = WriteHead("caption", decoder, GenerationSettings(max_length=5)).eval()
    >>> fused = Fused(torch.zeros(2, 8), lambda: Tokens.single(torch.zeros(2, 8)))
    >>> len(head(fused)["caption"]), head(fused)["caption"].losses.isnan().all().item()
    (2, True)
    """

    writes = "text"  # it reads the batch's targets in training, and generates its answers

    def __init__(
        self, name: str, decoder: Any, generation: GenerationSettings, dim: int = 0, scheduled_sampling: float = 0.0
    ) -> None:
        super().__init__()
        self.name, self.decoder, self.generation = name, decoder, generation
        self.norm = nn.LayerNorm(dim) if dim else nn.Identity()
        self.scheduled_sampling = scheduled_sampling
        self.tree: AnswerTree | None = None  # answers to choose from

    def forward(self, fused: Fused, targets: Mapping[str, Tensor] | None = None) -> dict[str, Any]:
        ids = None if targets is None or self.name not in targets else targets[self.name][:, CODE:]
        if self.training:
            assert ids is not None, "a decoder learns from texts"
            return {self.name: self.teacher_forced(fused, ids)}
        context = self.context(fused)
        generated = generate(self.decoder, context, self.generation, self.tree)
        scores = generated.scores[:, 0]
        losses = torch.full_like(scores, torch.nan) if ids is None else self._reference_loss(context, ids)
        return {self.name: Generated(generated.ids[:, 0], scores, losses)}

    def with_search(self, settings: GenerationSettings, tree: AnswerTree | None) -> "WriteHead":
        """The same decoder and weights behind another search; this one stays as it is."""
        head = copy.copy(self)
        head.generation, head.tree = settings, tree
        return head

    def context(self, fused: Fused) -> Tokens:
        """What the decoder reads: the fused vector and tokens, or what the decoder itself makes of them."""
        make_context = getattr(self.decoder, "context", None)
        if make_context is not None:
            prompt: Tokens = make_context(fused)
            return prompt
        tokens = vector_and_tokens(fused)
        return Tokens(self.norm(tokens.x), tokens.mask)

    def teacher_forced(self, fused: Fused, ids_BL: Tensor) -> Tensor:
        """`[B, L, V]` logits of each token of a text, given those before it; L is the length of the longest."""
        ids = ids_BL[:, : int((ids_BL >= 0).sum(dim=1).max().clamp(min=1))]
        decoder_input, context = self.shifted(ids), self.context(fused)
        if self.training and self.scheduled_sampling:
            # A first pass predicts every token; some of the predictions then replace tokens of the input.
            with torch.no_grad():
                predicted = self.decoder(context, decoder_input).argmax(dim=2)
            swap = torch.rand(decoder_input[:, 1:].shape, device=decoder_input.device) < self.scheduled_sampling
            decoder_input = torch.cat(
                [decoder_input[:, :1], torch.where(swap, predicted[:, :-1], decoder_input[:, 1:])], dim=1
            )
        logits: Tensor = self.decoder(context, decoder_input)
        return logits

    def shifted(self, ids_BL: Tensor) -> Tensor:
        """`[B, L]` the decoder input: the begin token, then each token but the last."""
        begin = torch.full((len(ids_BL), 1), self.decoder.begin_id, device=ids_BL.device, dtype=ids_BL.dtype)
        return torch.cat([begin, ids_BL[:, :-1].clamp(min=0)], dim=1)

    def _reference_loss(self, context: Tokens, ids_BL: Tensor) -> Tensor:
        """`[B]` mean loss per token of the right text; NaN where a row has none."""
        ids = ids_BL[:, : int((ids_BL >= 0).sum(dim=1).max().clamp(min=1))]
        logits = self.decoder(context, self.shifted(ids)).float()
        losses = nn.functional.cross_entropy(logits.transpose(1, 2), ids, ignore_index=-1, reduction="none")
        lengths = (ids >= 0).sum(dim=1).float()
        return losses.sum(dim=1) / torch.where(lengths > 0, lengths, torch.nan)
