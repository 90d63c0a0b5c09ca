"""Encoders, a fusion and a head as one model."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, Self

import torch
from torch import Tensor, nn

from plait.encoders.chunks import encode_in_chunks
from plait.encoders.tuning import frozen_parts_to_eval, stored_part
from plait.layers import MissingToken, NamedModules, masked_mean
from plait.types import Batch, Fused, Input, Output, Tokens, UnimodalOutput


class MultimodalModel(nn.Module):
    """Each modality through its encoder, all through the fusion, the result through the head.

    Args:
        encoders: modality → encoder, `forward(features) -> Tokens` with `out_dim`.
        fusion: `forward({modality: Tokens}) -> Fused`.
        head: `forward(Fused) -> {target: predictions}`; one that `writes` reads the batch's targets too.
        missing_token: give a modality that a row lacks a learned vector instead of nothing.
        auxiliary: modality → head that answers from it alone, in training; none by default.
    """

    def __init__(
        self,
        encoders: Mapping[str, Any],
        fusion: nn.Module,
        head: nn.Module,
        missing_token: bool = False,
        auxiliary: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.encoders = NamedModules(encoders)
        self.missing_tokens = NamedModules(
            {name: MissingToken(encoder.out_dim) for name, encoder in encoders.items()} if missing_token else {}
        )
        self.fusion = fusion
        self.head = head
        self.auxiliary = NamedModules(auxiliary or {})
        self.encode_blanks = False  # where processes share weights, each must run every encoder on every batch
        self.score_masked = False  # in training, also say what each modality gives with the others taken away
        self.watch_alone = False  # auxiliary heads answer outside training too
        self.chunk = 0  # in training, values that an encoder holds activations of at once; 0 for all of a batch

    def with_head(self, head: nn.Module) -> "MultimodalModel":
        """The same encoders and fusion, and their weights, under another head; this model stays as it is."""
        made = copy.copy(self)
        made._modules = {**self._modules, "head": head}
        return made

    @property
    def device(self) -> torch.device:
        """Where its tensors lie."""
        return next(chain(self.parameters(), self.buffers())).device

    def forward(self, batch: Batch) -> Output:
        tokens = {name: self.encode(name, batch.inputs[name], len(batch)) for name in self.encoders}
        fused = self.fusion(tokens)
        if getattr(self.head, "reads", None) is not None:  # it answers for each token of an input
            fused = Fused(fused.pooled, fused.make_tokens, fused.alone, tokens)
        masked = self._masked(tokens) if self.score_masked and self.training else {}
        predictions = self.head(fused, batch.targets) if getattr(self.head, "writes", False) else self.head(fused)
        return Output(predictions, fused.pooled, self._alone(tokens, fused), masked)

    def _alone(self, tokens: Mapping[str, Tokens], fused: Fused) -> dict[str, UnimodalOutput]:
        """What each modality says by itself: of a late fusion always, of auxiliary heads in training."""
        predictions = {
            name: UnimodalOutput(self.head(_fused(x)), present) for name, (x, present) in fused.alone.items()
        }
        if self.training or self.watch_alone:
            for name, head in self.auxiliary.items():
                predictions[name] = UnimodalOutput(head(_fused(masked_mean(tokens[name]))), tokens[name].present)
        return predictions

    @torch.no_grad()
    def _masked(self, tokens: Mapping[str, Tokens]) -> dict[str, UnimodalOutput]:
        """What fusion and head say of each modality with the others taken away, as in evaluation."""
        self.fusion.eval()
        self.head.eval()
        gone = {n: self._present(n, replace(t, mask=torch.zeros_like(t.mask))) for n, t in tokens.items()}
        predictions = {n: UnimodalOutput(self.head(self.fusion({**gone, n: t})), t.present) for n, t in tokens.items()}
        self.fusion.train()
        self.head.train()
        return predictions

    def encode(self, name: str, values: Input, rows: int) -> Tokens:
        """One modality's Tokens `[rows, T, D]`; every distinct value goes through the encoder once."""
        encoder = self.encoders[name]
        device = self.device
        if values.empty and self.encode_blanks:
            tokens = self._blank(encoder, rows, device)
        elif values.empty:
            tokens = Tokens.missing(rows, encoder.out_dim, device)
        else:
            if "stored" in values.features:
                tokens = replace(stored_tokens(values.features, stored_dim(encoder)), items=values.items)
                tokens = _each_item(encoder.after, tokens) if hasattr(encoder, "after") else tokens
            else:
                tokens = self._encoded(encoder, values.features)
            if values.index is not None:
                tokens = tokens.take(values.index)
        return self._present(name, tokens)

    def _encoded(self, encoder: Any, features: Mapping[str, Tensor]) -> Tokens:
        """Features through an encoder; in training, where `chunk` says so, a part at a time and once more backwards."""
        count = len(next(iter(features.values())))
        trains = self.training and torch.is_grad_enabled() and any(p.requires_grad for p in encoder.parameters())
        if not self.chunk or count <= self.chunk or not trains:
            tokens: Tokens = encoder(features)
            return tokens
        return encode_in_chunks(encoder, features, self.chunk)

    def _present(self, name: str, tokens: Tokens) -> Tokens:
        return self.missing_tokens[name](tokens) if name in self.missing_tokens else tokens

    @staticmethod
    def _blank(encoder: Any, rows: int, device: torch.device) -> Tokens:
        """Tokens of no row, by way of the encoder, whose statistics stay as they are."""
        values = Input(encoder.processor.collate([encoder.processor.blank()])).to(device)
        training = encoder.training
        encoder.eval()
        tokens: Tokens = encoder(values.features)
        encoder.train(training)
        return tokens.take(torch.full((rows, 1), -1, device=device))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if mode:
            for part in (*(encoder for _, encoder in self.encoders.items()), self.head):
                frozen_parts_to_eval(part)
        return self


def _each_item(after: Any, tokens: Tokens) -> Tokens:
    """What comes after a stored part, over each of a row's values apart, as where nothing is stored."""
    if tokens.items == 1:
        made: Tokens = after(tokens)
        return made

    def split(x: Tensor) -> Tensor:
        return x.unflatten(1, (tokens.items, -1)).flatten(0, 1)

    def joined(x: Tensor) -> Tensor:
        return x.unflatten(0, (-1, tokens.items)).flatten(1, 2)

    where = None if tokens.where is None else split(tokens.where)
    made = after(Tokens(split(tokens.x), split(tokens.mask), where))
    where = None if made.where is None else joined(made.where)
    return Tokens(joined(made.x), joined(made.mask), where, tuple(map(joined, made.layers)), tokens.items)


def stored_dim(encoder: Any) -> int:
    """The width of an encoder's stored outputs; one that trains a part on them may give another."""
    width: int = getattr(encoder, "stored_dim", 0) or stored_part(encoder).out_dim
    return width


def stored_tokens(features: Mapping[str, Tensor], dim: int) -> Tokens:
    """Tokens of a frozen encoder's stored outputs, `[B, T, L * D]`: L layers side by side."""
    x = features["stored"].float()
    layers = x.split(dim, dim=2)
    return Tokens(layers[-1], features["stored_mask"], features.get("stored_where"), layers if len(layers) > 1 else ())


def _fused(pooled: Tensor) -> Fused:
    """A vector as a head reads it."""
    return Fused(pooled, lambda: Tokens.single(pooled))
