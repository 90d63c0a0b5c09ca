"""A language model that reads the fused tokens as if they were words."""

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from plait.errors import PlaitError, RecipeError, import_extra
from plait.types import Tokens

Tune = Literal["projector", "lora", "ia3", "all"]
TUNES = ("projector", "lora", "ia3", "all")


@dataclass
class LanguageState:
    """The model's own cache of what was said, `B * K` rows, and which of its places are real."""

    cache: Any
    mask: Tensor

    def select(self, parents_BK: Tensor) -> None:
        rows, many = parents_BK.shape
        flat = parents_BK + torch.arange(rows, device=parents_BK.device)[:, None] * many
        if not torch.equal(flat.flatten(), torch.arange(rows * many, device=flat.device)):
            self.cache.reorder_cache(flat.flatten())


class LanguageModel(nn.Module):
    """A causal language model behind a projector (LLaVA, 2304.08485).

    The fused tokens go through the projector into the model's word space and stand between the parts of a prompt; the
    model writes on from there. Differs from LLaVA in a norm after the projector, which brings tokens to the size that
    the model's words have, so that it reads them from the first step on.

    Args:
        model: a transformers model for causal language modelling.
        context_dim: H of the fused tokens.
        before, after: token ids of the prompt around them.
        end: the token after the last.
        projector: `linear`, or `mlp` with one hidden layer.
        tune: what trains beside the projector: nothing (`projector`), low-rank adapters (`lora`, 2106.09685), scales
            (`ia3`, 2205.05638), or `all` of the model.
        rank: of `lora`.
        dropout: of `lora`.

    Shapes: Tokens `[B, S, H]`, ids `[B, L]` (the first is a place holder) → logits `[B, L, V]`.

    Raises:
        RecipeError: an option is unknown.
        MissingExtra: adapters are asked for and peft is not installed.
    """

    def __init__(
        self,
        model: Any,
        context_dim: int,
        before: Sequence[int],
        after: Sequence[int],
        end: int,
        projector: Literal["linear", "mlp"] = "mlp",
        tune: Tune = "projector",
        rank: int = 8,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        if tune not in TUNES:
            raise RecipeError(f"decoder.tune: expected one of {', '.join(TUNES)}, got {tune!r}")
        if projector not in ("linear", "mlp"):
            raise RecipeError(f"decoder.projector: expected linear or mlp, got {projector!r}")
        self.begin_id, self.end = end, end
        self.first: list[int] = []
        words: Tensor = model.get_input_embeddings().weight
        dim = words.shape[1]
        hidden = [nn.Linear(context_dim, dim), nn.GELU()] if projector == "mlp" else []
        norm = nn.LayerNorm(dim)
        nn.init.constant_(norm.weight, float(words.detach().float().std()))
        self.projector = nn.Sequential(*hidden, nn.Linear(dim if hidden else context_dim, dim), norm)
        self.register_buffer("before", torch.tensor(list(before), dtype=torch.int64), persistent=False)
        self.register_buffer("after", torch.tensor(list(after), dtype=torch.int64), persistent=False)
        self.room = int(getattr(model.config, "max_position_embeddings", 0) or 0)
        model.requires_grad_(tune == "all")
        self.model = with_adapters(model, tune, rank, dropout) if tune in ("lora", "ia3") else model
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    def forward(self, context: Tokens, ids_BL: Tensor) -> Tensor:
        x, mask = self._prompt(context)
        told = self.model.get_input_embeddings()(ids_BL[:, 1:])
        x = torch.cat([x, told], dim=1)
        mask = torch.cat([mask, mask.new_ones(told.shape[:2])], dim=1)
        self._check_room(x.shape[1])
        length = ids_BL.shape[1]
        return self._run(x, mask, keep=length).logits[:, -length:]

    def _prompt(self, context: Tokens) -> tuple[Tensor, Tensor]:
        """`[B, P, D]` the prompt with the fused tokens in it, and which of its places are real."""
        rows, embed = len(context.x), self.model.get_input_embeddings()
        around = [embed(ids).expand(rows, -1, -1) for ids in (self.before, self.after)]
        seen = self.projector(context.x).to(around[0].dtype)
        every = [context.mask.new_ones(part.shape[:2]) for part in around]
        x = torch.cat([around[0], seen, around[1]], dim=1)
        return x, torch.cat([every[0], context.mask, every[1]], dim=1)

    def _run(self, x: Tensor, mask: Tensor, keep: int, **more: Any) -> Any:
        places = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
        kept = {"logits_to_keep": keep} if self._keeps else {}
        return self.model(inputs_embeds=x, attention_mask=mask.long(), position_ids=places, **kept, **more)

    def _check_room(self, length: int) -> None:
        """Refuse what the model has no places for; a modality's tokens are never cut."""
        if self.room and length > self.room:
            raise RecipeError(
                f"the language model has places for {self.room} tokens; prompt, inputs and text are {length}. Give it "
                "fewer: fusion.method=perceiver reads all into a few, encoders with tokens=pooled give one a picture"
            )

    def begin(self, context: Tokens, hypotheses: int, length: int) -> tuple[Tensor, LanguageState]:
        """Read prompt and context; logits `[B, V]` of the first token, and a state for each hypothesis."""
        x, mask = self._prompt(context)
        self._check_room(x.shape[1] + length)
        found = self._run(x, mask, keep=1, use_cache=True)
        cache = found.past_key_values
        if hypotheses > 1:
            cache.batch_repeat_interleave(hypotheses)
        return found.logits[:, -1], LanguageState(cache, mask.repeat_interleave(hypotheses, dim=0))

    def step(self, ids_BK: Tensor, state: LanguageState) -> Tensor:
        """`[B, K, V]` logits after one more token of each hypothesis."""
        rows, many = ids_BK.shape
        state.mask = torch.cat([state.mask, state.mask.new_ones(rows * many, 1)], dim=1)
        places = state.mask.long().sum(dim=1, keepdim=True) - 1
        found = self.model(
            input_ids=ids_BK.reshape(-1, 1),
            attention_mask=state.mask.long(),
            position_ids=places,
            past_key_values=state.cache,
            use_cache=True,
        )
        logits: Tensor = found.logits[:, -1].view(rows, many, -1)
        return logits


def with_adapters(model: Any, tune: str, rank: int, dropout: float) -> Any:
    """The model with adapters of peft in all of its linear layers but the one that says words.

    Raises:
        MissingExtra: peft is not installed.
    """
    peft = import_extra("peft", "llm")
    said = model.get_output_embeddings()
    names = {name.rpartition(".")[2] for name, m in model.named_modules() if isinstance(m, nn.Linear) and m is not said}
    if tune == "lora":
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=dropout, target_modules=sorted(names))
    else:
        into = sorted(name for name in names if "down" in name or name in ("c_proj", "fc2", "wo"))
        config = peft.IA3Config(target_modules=sorted(names), feedforward_modules=into)
    return peft.inject_adapter_in_model(config, model)


@torch.no_grad()
def merge_adapters(decoder: LanguageModel, context: Tokens, ids_BL: Tensor, tolerance: float = 1e-3) -> LanguageModel:
    """A copy whose adapters became part of the weights, if it says the same.

    Args:
        decoder: with `tune` lora or ia3.
        context, ids_BL: on which logits are compared.
        tolerance: largest difference of a logit.

    Raises:
        PlaitError: logits differ by more, or there is no adapter.
    """
    decoder = copy.deepcopy(decoder).eval()
    expected = decoder(context, ids_BL)
    found = [(name, m) for name, m in decoder.named_modules() if hasattr(m, "get_base_layer") and hasattr(m, "merge")]
    if not found:
        raise PlaitError("there is no adapter to merge; train with decoder.tune=lora or ia3")
    for name, module in found:
        module.merge(safe_merge=True)
        parent, _, own = name.rpartition(".")
        setattr(decoder.get_submodule(parent), own, module.get_base_layer())
    away = float((decoder(context, ids_BL) - expected).abs().max())
    if not away <= tolerance:
        raise PlaitError(f"merging the adapters would change what the model says: logits by {away:.2g}; it is refused")
    return decoder
