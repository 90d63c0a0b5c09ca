"""Generated tokens against transformers' `generate` on a model of the same weights."""

from typing import Any

import pytest
import torch

from plait.decoders.text_transformer import TextTransformer
from plait.generation.choices import AnswerTree
from plait.generation.search import NONE, generate
from plait.generation.settings import GenerationSettings
from plait.types import Tokens

BEGIN, END, VOCAB, DIM = 0, 1, 40, 16


def peers(seed: int = 0, scale: float = 0.6) -> tuple[TextTransformer, Any]:
    """Our decoder and a GPT-2 with cross-attention that hold the same weights."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=VOCAB,
        n_positions=32,
        n_embd=DIM,
        n_layer=2,
        n_head=4,
        activation_function="gelu",
        add_cross_attention=True,
        bos_token_id=BEGIN,
        eos_token_id=END,
        pad_token_id=END,
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    for parameter in theirs.parameters():  # large enough for answers that differ
        torch.nn.init.normal_(parameter, std=scale if parameter.ndim > 1 else 0.1)
    ours = TextTransformer(VOCAB, BEGIN, END, DIM, DIM, layers=2, heads=4, max_length=32).eval()
    copy_gpt2(theirs, ours)
    return ours, theirs


def copy_gpt2(theirs: Any, ours: TextTransformer) -> None:
    """GPT-2's weights in our names; its linear maps are stored transposed."""
    state = theirs.state_dict()
    held = {"embedding.weight": state["transformer.wte.weight"], "positions.weight": state["transformer.wpe.weight"]}
    held |= {f"norm.{part}": state[f"transformer.ln_f.{part}"] for part in ("weight", "bias")}
    held |= {
        f"start.{part}": torch.zeros_like(value) for part, value in ours.start.named_parameters()
    }  # GPT-2 has none
    for n in range(len(ours.blocks)):
        names = {
            "self_norm": "ln_1",
            "self_attention.qkv": "attn.c_attn",
            "self_attention.out": "attn.c_proj",
            "cross_norm": "ln_cross_attn",
            "cross_attention.query": "crossattention.q_attn",
            "cross_attention.key_value": "crossattention.c_attn",
            "cross_attention.out": "crossattention.c_proj",
            "mlp_norm": "ln_2",
            "mlp.layers.0": "mlp.c_fc",
            "mlp.layers.3": "mlp.c_proj",
        }
        for own, other in names.items():
            for part in ("weight", "bias"):
                value = state[f"transformer.h.{n}.{other}.{part}"]
                held[f"blocks.{n}.{own}.{part}"] = value.T if part == "weight" and value.ndim == 2 else value
    ours.load_state_dict(held)


def context(rows: int = 5, length: int = 7, seed: int = 1) -> Tokens:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(length) < torch.randint(2, length + 1, (rows, 1), generator=generator)
    return Tokens(torch.randn(rows, length, DIM, generator=generator), mask)


def theirs_generate(model: Any, seen: Tokens, **options: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    start = torch.full((len(seen.x), 1), BEGIN)
    found = model.generate(
        input_ids=start,
        attention_mask=torch.ones_like(start),
        encoder_hidden_states=seen.x,
        encoder_attention_mask=seen.mask.long(),
        return_dict_in_generate=True,
        output_scores=True,
        **options,
    )
    return found.sequences[:, 1:], getattr(found, "sequences_scores", None)


def same_tokens(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Equal up to what fills the rest of a row."""
    assert len(ours) == len(theirs)
    for own, other in zip(ours.tolist(), theirs.tolist(), strict=True):
        own = [token for token in own if token != NONE]
        assert own == other[: len(own)]
        assert set(other[len(own) :]) <= {END}


def test_logits_are_those_of_gpt2() -> None:
    ours, theirs = peers()
    seen, ids = context(), torch.randint(2, VOCAB, (5, 9))
    expected = theirs(ids, encoder_hidden_states=seen.x, encoder_attention_mask=seen.mask.long()).logits
    torch.testing.assert_close(ours(seen, ids), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("options", [{}, {"repetition_penalty": 1.7}, {"min_length": 6}])
def test_greedy_is_transformers(seed: int, options: dict[str, Any]) -> None:
    ours, theirs = peers(seed)
    settings = GenerationSettings(max_length=20, **options)
    renamed = {"min_new_tokens" if name == "min_length" else name: value for name, value in options.items()}
    expected, _ = theirs_generate(theirs, context(seed=seed), do_sample=False, max_new_tokens=20, **renamed)
    same_tokens(generate(ours, context(seed=seed), settings).ids[:, 0], expected)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("options", [{}, {"length_penalty": 0.0}, {"length_penalty": 2.0}, {"repetition_penalty": 1.3}])
def test_beams_are_transformers(seed: int, options: dict[str, Any]) -> None:
    ours, theirs = peers(seed, scale=0.4)
    settings = GenerationSettings(max_length=12, beams=4, best=3, **options)
    asked = {"num_beams": 4, "num_return_sequences": 3, "do_sample": False, "early_stopping": False}
    expected, scores = theirs_generate(theirs, context(seed=seed), max_new_tokens=12, **asked, **options)
    found = generate(ours, context(seed=seed), settings)
    same_tokens(found.ids.flatten(0, 1), expected)
    assert scores is not None
    torch.testing.assert_close(found.scores.flatten(), scores, atol=1e-4, rtol=1e-4)


def test_ends_come_early_and_late() -> None:
    """The cases above hold both."""
    lengths = set()
    for seed in range(4):
        ids = generate(peers(seed)[0], context(seed=seed), GenerationSettings(max_length=20)).ids[:, 0]
        lengths |= set((ids != NONE).sum(dim=1).tolist())
    assert min(lengths) < 20 and max(lengths) == 20


@pytest.mark.parametrize("beams", [1, 3])
def test_rows_do_not_see_each_other(beams: int) -> None:
    ours, _ = peers(2, scale=0.4)
    seen, settings = context(), GenerationSettings(max_length=10, beams=beams)
    together = generate(ours, seen, settings)
    for row in range(5):
        alone = generate(ours, Tokens(seen.x[row : row + 1], seen.mask[row : row + 1]), settings)
        own = [token for token in together.ids[row, 0].tolist() if token != NONE]
        assert own == [token for token in alone.ids[0, 0].tolist() if token != NONE]
        torch.testing.assert_close(alone.scores[0, 0], together.scores[row, 0])


def test_a_score_is_the_answers_own_likelihood() -> None:
    ours, _ = peers(0, scale=0.4)
    seen = context()
    for settings in (GenerationSettings(max_length=9), GenerationSettings(max_length=9, beams=3)):
        found = generate(ours, seen, settings)
        ids = found.ids[:, 0]
        before = torch.cat([torch.full((5, 1), BEGIN), ids.clamp(min=0)[:, :-1]], dim=1)
        said = ours(seen, before).log_softmax(dim=2).gather(2, ids.clamp(min=0)[:, :, None])[:, :, 0]
        mean = (said * (ids != NONE)).sum(dim=1) / (ids != NONE).sum(dim=1)
        torch.testing.assert_close(found.scores[:, 0], mean, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("settings", [GenerationSettings(), GenerationSettings(beams=3, best=2)])
def test_held_to_a_list_of_answers(settings: GenerationSettings) -> None:
    ours, _ = peers(1)
    answers = [[5, 6], [5, 7, 8], [9], [9]]
    tree = AnswerTree(answers, END)
    assert tree.longest == 4
    found = generate(ours, context(), settings, tree)
    for row in found.ids[:, 0].tolist():
        assert [token for token in row if token not in (NONE, END)] in answers
    # the likeliest of all, by scoring each
    if settings.beams == 3:
        for row in range(5):
            seen = Tokens(context().x[row : row + 1], context().mask[row : row + 1])
            scores = []
            for answer in answers[:3]:
                ids = torch.tensor([[*answer, END]])
                logits = ours(seen, torch.cat([torch.tensor([[BEGIN]]), ids[:, :-1]], dim=1)).log_softmax(dim=2)
                scores.append(float(logits.gather(2, ids[:, :, None]).sum()) / ids.shape[1])
            assert found.scores[row, 0] == pytest.approx(max(scores), abs=1e-4)


def test_draws_follow_the_distribution() -> None:
    ours, _ = peers(3, scale=0.3)
    seen = Tokens(context(1).x, context(1).mask)
    logits, _ = ours.begin(seen, 1, 4)
    settings = GenerationSettings(max_length=1, temperature=1.0, best=4000, seed=3)
    drawn = generate(ours, seen, settings).ids[0, :, 0]
    share = torch.bincount(drawn, minlength=VOCAB) / len(drawn)
    assert (share - logits[0].softmax(dim=0)).abs().max() < 0.03
    few = generate(ours, seen, GenerationSettings(max_length=1, temperature=1.0, top_k=3, best=200)).ids[0, :, 0]
    assert set(few.tolist()) <= set(logits[0].topk(3).indices.tolist())
    probabilities, places = logits[0].softmax(dim=0).sort(descending=True)
    nucleus = int((probabilities.cumsum(0) < 0.3).sum()) + 1
    some = generate(ours, seen, GenerationSettings(max_length=1, temperature=1.0, top_p=0.3, best=400)).ids[0, :, 0]
    assert set(some.tolist()) == set(places[:nucleus].tolist())
