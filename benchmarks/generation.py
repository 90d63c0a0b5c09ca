"""Writing: plait's loop against transformers' `generate`, the same weights, the same tokens."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import transformers
from tests.generation.test_search import copy_gpt2

from benchmarks.measure import Row, interleaved, rate, row
from plait.decoders.text_transformer import TextTransformer
from plait.generation.search import NONE, generate
from plait.generation.settings import GenerationSettings
from plait.training.precision import has_bfloat16
from plait.types import Tokens

WIDTH, LAYERS, HEADS, VOCAB, LENGTH, SEEN = 512, 6, 8, 10_000, 30, 49
BEGIN, END = 0, 1


def run() -> list[Row]:
    """Tokens a second of a 6-layer 512-wide decoder with cross-attention, vocabulary 10,000, 30 tokens."""
    ours, theirs = _peers()
    half = copy.deepcopy(ours).bfloat16() if has_bfloat16(torch.device("cpu")) else None
    read = [p for name, p in ours.named_parameters() if not name.startswith(("positions", "start"))]
    bytes_read = 4 * sum(p.numel() for p in read)
    bandwidth = _bandwidth()
    found = []
    for rows in (1, 32):
        seen = Tokens(torch.randn(rows, SEEN, WIDTH), torch.ones(rows, SEEN, dtype=torch.bool))
        for beams in (1, 4):
            settings = GenerationSettings(max_length=LENGTH, min_length=LENGTH - 1, beams=beams)
            mine, peer = partial(generate, ours, seen, settings), partial(_theirs, theirs, seen, beams)
            same = _same(mine().ids[:, 0], peer())
            contestants = {"plait": _timed(mine, rows * LENGTH), "peer": _timed(peer, rows * LENGTH)}
            if half is not None:
                short = Tokens(seen.x.bfloat16(), seen.mask)
                contestants["half"] = _timed(partial(generate, half, short, settings), rows * LENGTH)
            rates = interleaved(contestants)
            name = f"generation: {'greedy' if beams == 1 else f'{beams} beams'}, batch {rows}"
            found.append(row(f"{name}, transformers", rates["peer"], "tokens/s", "", None))
            ratio = rates["plait"] / rates["peer"]
            found.append(row(f"{name}, plait", rates["plait"], "tokens/s", "transformers generate", ratio))
            found.append(row(f"{name}, same tokens", same, "share", "transformers generate", None))
            if half is not None:
                ratio = rates["half"] / rates["peer"]
                against = "transformers generate, float32"
                found.append(row(f"{name}, plait, bfloat16", rates["half"], "tokens/s", against, ratio))
            steps = rates["plait"] / rows
            limit = "reading the weights once a step"
            found.append(row(f"{name}, plait", rates["plait"], "tokens/s", limit, steps * bytes_read / bandwidth))
    return found


def _peers() -> tuple[TextTransformer, Any]:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCAB,
        n_positions=LENGTH + 2,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        activation_function="gelu",
        add_cross_attention=True,
        bos_token_id=BEGIN,
        eos_token_id=END,
        pad_token_id=END,
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    for parameter in theirs.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.06)
    ours = TextTransformer(VOCAB, BEGIN, END, WIDTH, WIDTH, LAYERS, HEADS, max_length=LENGTH + 2).eval()
    copy_gpt2(theirs, ours)
    return ours, theirs


@torch.inference_mode()
def _theirs(model: Any, seen: Tokens, beams: int) -> torch.Tensor:
    start = torch.full((len(seen.x), 1), BEGIN)
    found: torch.Tensor = model.generate(
        input_ids=start,
        attention_mask=torch.ones_like(start),
        encoder_hidden_states=seen.x,
        encoder_attention_mask=seen.mask.long(),
        do_sample=False,
        num_beams=beams,
        max_new_tokens=LENGTH,
        min_new_tokens=LENGTH - 1,
    )
    return found[:, 1:]


def _timed(work: Callable[[], Any], count: int) -> Callable[[], float]:
    """Things a second of work that does `count` of them."""
    return lambda: rate(lambda: (work(), count)[1])


def _same(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Share of the rows whose tokens are the same up to the end."""
    pairs = zip(ours.tolist(), theirs.tolist(), strict=True)
    return sum([t for t in own if t != NONE] == other[: sum(t != NONE for t in own)] for own, other in pairs) / len(
        ours
    )


def _bandwidth() -> float:
    """Bytes a second of reading a matrix far larger than the cache: its product with a vector."""
    matrix, vector = torch.randn(8192, 8192), torch.randn(8192)
    return interleaved({"read": _timed(lambda: matrix @ vector, matrix.numel() * 4)})["read"]
