"""A language model as decoder: it reads the fused tokens as if they were words."""

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from plait.decoders.packing import Lines, Padding, pack
from plait.decoders.prompting import arrange
from plait.encoders.weights import Weights
from plait.errors import PlaitError, RecipeError, import_extra
from plait.layers import NamedModules, use_fast_linear
from plait.layers.pooling import vector_and_tokens
from plait.types import Fused, Tokens

NONE = -1
Tune = Literal["projector", "lora", "ia3", "prefix", "all"]
TUNES = ("projector", "lora", "ia3", "prefix", "all")


@dataclass
class LanguageState:
    """The model's cache of the tokens so far, of `B * K` rows, and which of its places are not padding."""

    cache: Any
    mask: Tensor

    def select(self, parents_BK: Tensor) -> None:
        rows, many = parents_BK.shape
        flat = parents_BK + torch.arange(rows, device=parents_BK.device)[:, None] * many
        # Reordering copies the whole cache, so it is skipped where each hypothesis continues itself.
        if not torch.equal(flat.flatten(), torch.arange(rows * many, device=flat.device)):
            self.cache.reorder_cache(flat.flatten())


class LanguageModel(nn.Module):
    """A causal language model that reads other modalities as if they were words (LLaVA, 2304.08485).

    Each row gets a prompt: the template's words, the row's own words, and between them the tokens of its other inputs,
    each through its projector. The model continues the prompt. The part of the template before the first input is the
    same for every row and is read once per batch.

    Args:
        model: a transformers model for causal language modelling.
        projectors: input → module from its Tokens to Tokens of the model's width. The input `""` stands for the output
            of a fusion: the fused vector, then the fused tokens.
        template: token ids of the prompt, and between them names of inputs.
        end: the token after the last.
        words: inputs that are token ids already, `[B, T, 1]`; see `WordsProcessor`.
        text_length: tokens of a text at most, for which there must be room after the prompt.
        tune: what trains besides the projectors: nothing (`projector`), low-rank adapters (`lora`, 2106.09685), scales
            (`ia3`, 2205.05638), keys and values before the first token (`prefix`, 2101.00190), or the whole model
            (`all`).
        rank: of `lora`.
        dropout: of `lora`.
        prefix_length: places of `prefix`.
        max_context: places for prompt and text; by default as many as the model has. Longer prompts lose the row's
            first words, but never a token of an image or another value.
        packing: in training, pack several rows into one line of the batch, where rows differ in length.

    Shapes: `context` turns Fused into the prompt, Tokens `[B, P, D]`; the prompt and ids `[B, L]` (the first is a
    placeholder) → logits `[B, L, V]`.

    Raises:
        RecipeError: an option is unknown, or the context is too short for a prompt.
        DataError: a row's words have places for more or fewer values than the row has.
        MissingExtra: adapters are asked for and peft is not installed.
    """

    constants: Tensor

    def __init__(
        self,
        model: Any,
        projectors: Mapping[str, nn.Module],
        template: Sequence[Sequence[int] | str],
        end: int,
        words: Sequence[str] = (),
        text_length: int = 64,
        tune: Tune = "projector",
        rank: int = 8,
        dropout: float = 0.05,
        prefix_length: int = 16,
        max_context: int | None = None,
        packing: bool = False,
    ) -> None:
        super().__init__()
        if tune not in TUNES:
            raise RecipeError(f"decoder.tune: expected one of {', '.join(TUNES)}, got {tune!r}")
        self.begin_id, self.end = end, end
        self.first: list[int] = []
        self.words, self.text_length, self.packing = list(words), text_length, packing
        first = template[0] if template else ""
        self.head: list[int] = [] if isinstance(first, str) else list(first)
        rest = template[1:] if self.head else template
        self.template = [piece if isinstance(piece, str) else list(piece) for piece in rest]
        constants = [token for piece in self.template if not isinstance(piece, str) for token in piece]
        self.register_buffer("constants", torch.tensor(constants, dtype=torch.int64), persistent=False)
        self.projectors = NamedModules(projectors)
        room = int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 0)
        self.room = min(max_context or room, room) if room else max_context or 0
        model.requires_grad_(tune == "all")
        use_fast_linear(model)
        self.prefix = (
            nn.Parameter(first_cache(model, self.head or constants or [end], prefix_length))
            if tune == "prefix"
            else None
        )
        self.model = with_adapters(model, tune, rank, dropout) if tune in ("lora", "ia3") else model
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters
        self.padding = Padding()
        self.weights: Weights | None = None  # what the model was loaded from, where that is recorded

    @property
    def pretrained(self) -> list[nn.Module]:
        """Modules that were pretrained and train on, which learn at the encoders' rate."""
        trains = any(parameter.requires_grad for parameter in self.model.parameters())
        adapted = any(hasattr(module, "get_base_layer") for module in self.model.modules())
        return [self.model] if trains and not adapted else []

    def context(self, fused: Fused) -> Tokens:
        """Each row's prompt from its first input on, in the model's word space."""
        parts = fused.parts or {"": vector_and_tokens(fused)}
        embed = self.model.get_input_embeddings()
        rows = len(fused.pooled)
        # All pieces side by side, and where each row's values and words stand among them.
        pieces = [embed(self.constants).expand(rows, -1, -1)]
        template, start = self._placed(), len(self.constants)
        values: dict[str, list[list[list[int]]]] = {}
        for name, projector in self.projectors.items():
            seen: Tokens = projector(parts[name])
            values[name] = _values(seen, start)
            pieces.append(seen.x.to(pieces[0].dtype))
            start += seen.x.shape[1]
        words: dict[str, list[list[tuple[int, int]]]] = {}
        for name in self.words:
            ids = parts[name].x[:, :, 0].long()
            words[name] = _words(ids, parts[name].mask, start)
            pieces.append(embed(ids.clamp(min=0)))
            start += ids.shape[1]
        # Then the order in which each row reads them.
        before = len(self.head) + (0 if self.prefix is None else self.prefix.shape[3])
        room = self.room - before - self.text_length if self.room else start
        index = nn.utils.rnn.pad_sequence(
            [torch.tensor(row, dtype=torch.int64) for row in arrange(template, words, values, room)],
            batch_first=True,
            padding_value=NONE,
            padding_side="left",  # so that all rows' texts begin at the same place
        ).to(self.constants.device)
        everything = torch.cat(pieces, dim=1)
        x = everything.gather(1, index.clamp(min=0)[:, :, None].expand(-1, -1, everything.shape[2]))
        return Tokens(x, index >= 0)

    def _placed(self) -> list[list[int] | str]:
        """The template with positions in place of its words' ids."""
        placed: list[list[int] | str] = []
        start = 0
        for piece in self.template:
            placed.append(piece if isinstance(piece, str) else list(range(start, start + len(piece))))
            start += 0 if isinstance(piece, str) else len(piece)
        return placed

    def forward(self, context: Tokens, ids_BL: Tensor) -> Tensor:
        decoder_input = self.model.get_input_embeddings()(ids_BL[:, 1:])
        x = torch.cat([context.x, decoder_input], dim=1)
        mask = torch.cat([context.mask, context.mask.new_ones(decoder_input.shape[:2])], dim=1)
        length = ids_BL.shape[1]
        if self.training and self.packing:
            lines = pack(mask.tolist())
            self.padding.note(mask.sum(dim=1).tolist(), mask.shape[1], lines)
            if len(lines.rows) < len(x):
                return self._run_packed(x, lines, length)
        return self._run(x, mask, keep=length).logits[:, -length:]

    def _before(self) -> Tensor | None:
        """`[layers, 2, heads, H, D]` keys and values before every row: those of the prefix and the template's head."""
        if not self.head:
            return self.prefix
        cache = None if self.prefix is None else cache_of(self.prefix, 1)
        ids = torch.tensor([self.head], device=self.constants.device)
        filled = self.model(input_ids=ids, past_key_values=cache, use_cache=True).past_key_values
        return torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in filled.layers])

    def _run_packed(self, x: Tensor, lines: Lines, length: int) -> Tensor:
        """The same logits as by `_run`, with rows that share lines."""
        place_LT, position_LT, row_LT = (torch.tensor(one, device=x.device) for one in lines.tables())
        source = x.flatten(0, 1).index_select(0, place_LT.clamp(min=0).flatten()).view(*place_LT.shape, -1)
        # A token sees earlier tokens of its own row only; padding counts as a row by itself.
        same = (row_LT[:, :, None] == row_LT[:, None, :]).tril()
        before = self._before()
        more = {}
        if before is not None:
            more["past_key_values"] = cache_of(before, len(source))
            same = torch.cat([same.new_ones(*same.shape[:2], before.shape[3]), same], dim=2)
            position_LT = position_LT + before.shape[3]
        attention = torch.zeros(same.shape, dtype=x.dtype, device=x.device).masked_fill(~same, torch.finfo(x.dtype).min)
        output = self.model(inputs_embeds=source, attention_mask=attention[:, None], position_ids=position_LT, **more)
        logits = output.logits.flatten(0, 1)
        back = torch.tensor(lines.last(x.shape[1], length), device=x.device)
        packed: Tensor = logits.index_select(0, back.flatten()).view(*back.shape, -1)
        return packed

    def _run(self, x: Tensor, mask: Tensor, keep: int, **more: Any) -> Any:
        places = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
        options: dict[str, Any] = {}
        if self._keeps:  # as indices, not as a number: with a slice the product with all words is three times as slow
            options["logits_to_keep"] = torch.arange(x.shape[1] - keep, x.shape[1], device=x.device)
        before = self._before()
        if before is not None:
            options["past_key_values"] = cache_of(before, len(x))
            mask = torch.cat([mask.new_ones(len(x), before.shape[3]), mask], dim=1)
            places = places + before.shape[3]
        return self.model(inputs_embeds=x, attention_mask=mask.long(), position_ids=places, **options, **more)

    def begin(self, context: Tokens, hypotheses: int, length: int) -> tuple[Tensor, LanguageState]:
        """Read the prompt; logits `[B, V]` of the first token, and a state for each hypothesis."""
        output = self._run(context.x, context.mask, keep=1, use_cache=True)
        cache, mask = output.past_key_values, context.mask
        before = cache.get_seq_length() - mask.shape[1]
        mask = torch.cat([mask.new_ones(len(mask), before), mask], dim=1)
        if hypotheses > 1:
            cache.batch_repeat_interleave(hypotheses)
        return output.logits[:, -1], LanguageState(cache, mask.repeat_interleave(hypotheses, dim=0))

    def step(self, ids_BK: Tensor, state: LanguageState) -> Tensor:
        """`[B, K, V]` logits after one more token of each hypothesis."""
        rows, many = ids_BK.shape
        state.mask = torch.cat([state.mask, state.mask.new_ones(rows * many, 1)], dim=1)
        places = state.mask.long().sum(dim=1, keepdim=True) - 1
        output = self.model(
            input_ids=ids_BK.reshape(-1, 1),
            attention_mask=state.mask.long(),
            position_ids=places,
            past_key_values=state.cache,
            use_cache=True,
        )
        logits: Tensor = output.logits[:, -1].view(rows, many, -1)
        return logits


def _values(seen: Tokens, start: int) -> list[list[list[int]]]:
    """For each row and each value that it has, the positions of the value's tokens."""
    each = seen.x.shape[1] // seen.items
    positions = []
    for row in seen.mask.tolist():
        groups = [[start + place for place in range(n * each, (n + 1) * each) if row[place]] for n in range(seen.items)]
        positions.append([group for group in groups if group])
    return positions


def _words(ids_BT: Tensor, mask_BT: Tensor, start: int) -> list[list[tuple[int, int]]]:
    """For each row, its words as (id, position)."""
    return [
        [(token, start + place) for place, (token, real) in enumerate(zip(row, marks, strict=True)) if real]
        for row, marks in zip(ids_BT.tolist(), mask_BT.tolist(), strict=True)
    ]


@torch.no_grad()
def first_cache(model: Any, ids: Sequence[int], length: int) -> Tensor:
    """`[layers, 2, heads, length, D]` keys and values of words, repeated to a length: the initial values of a prefix.

    2101.00190 found that a prefix learns better if it begins as real words and not at random.
    """
    repeated = torch.tensor([[ids[n % len(ids)] for n in range(length)]], device=model.device)
    cache = model(input_ids=repeated, use_cache=True).past_key_values
    return torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers])


def cache_of(prefix: Tensor, rows: int) -> Any:
    """A cache that begins with the same prefix in each row."""
    transformers = import_extra("transformers", "pretrained")
    cache = transformers.DynamicCache()
    for layer, (keys, values) in enumerate(prefix):
        cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
    return cache


def with_adapters(model: Any, tune: str, rank: int, dropout: float) -> Any:
    """The model with peft's adapters in all of its linear layers except the output layer.

    Raises:
        MissingExtra: peft is not installed.
    """
    peft = import_extra("peft", "llm")
    output_layer = model.get_output_embeddings()
    names = {
        name.rpartition(".")[2]
        for name, m in model.named_modules()
        if isinstance(m, nn.Linear) and m is not output_layer
    }
    if tune == "lora":
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=dropout, target_modules=sorted(names))
    else:
        into = sorted(name for name in names if "down" in name or name in ("c_proj", "fc2", "wo"))
        config = peft.IA3Config(target_modules=sorted(names), feedforward_modules=into)
    return peft.inject_adapter_in_model(config, model)


@torch.no_grad()
def merge_adapters(decoder: LanguageModel, context: Tokens, ids_BL: Tensor, tolerance: float = 1e-3) -> LanguageModel:
    """A copy in which adapters are merged into the weights, if its logits stay the same.

    Args:
        decoder: with `tune` lora or ia3.
        context, ids_BL: inputs on which logits are compared.
        tolerance: the largest difference of a logit.

    Raises:
        PlaitError: logits differ by more, or there is no adapter.
    """
    decoder = copy.deepcopy(decoder).eval()
    expected = decoder(context, ids_BL)
    adapted = [(name, m) for name, m in decoder.named_modules() if hasattr(m, "get_base_layer") and hasattr(m, "merge")]
    if not adapted:
        raise PlaitError("there is no adapter to merge; train with decoder.tune=lora or ia3")
    for name, module in adapted:
        module.merge(safe_merge=True)
        parent, _, attribute = name.rpartition(".")
        setattr(decoder.get_submodule(parent), attribute, module.get_base_layer())
    away = float((decoder(context, ids_BL) - expected).abs().max())
    if not away <= tolerance:
        raise PlaitError(f"merging the adapters would change what the model says: logits by {away:.2g}; it is refused")
    return decoder
