"""Contract tests over `FUSIONS`, then each method against numpy."""

import inspect
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import fake_tokens
from fusion.by_hand import cross_block, linear, norm, self_block
from plait.encoders.grid import grid_boxes
from plait.errors import DataError
from plait.fusion import FUSIONS
from plait.layers import PlaceEmbedding, masked_mean
from plait.layers.spaces import Binary, Categorical, Real
from plait.types import Tokens

DIMS = {"photo": 6, "title": 4, "tabular": 3}
WITH_POSITIONS = {
    f"{n} with positions": n for n, f in FUSIONS.items() if "positions" in inspect.signature(f).parameters
}
every_fusion = pytest.mark.parametrize("name", [*FUSIONS, *WITH_POSITIONS])


def make(name: str, dims: Mapping[str, int] = DIMS) -> torch.nn.Module:
    torch.manual_seed(0)
    if name not in WITH_POSITIONS:
        return FUSIONS[name](dims, 8).eval()
    fusion = FUSIONS[WITH_POSITIONS[name]](dims, 8, positions=True).eval()
    for part in fusion.modules():
        if isinstance(part, PlaceEmbedding):
            torch.nn.init.normal_(part.weight, std=0.3)
    return fusion


def tokens_of(rows: int = 5, absent: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, Tokens]:
    """Boxes for the photo, spans for the title, nowhere for the table."""
    lengths = {"photo": 4, "title": 3, "tabular": 1}
    tokens = {
        n: fake_tokens(rows, lengths[n], d, seed=i, absent=(absent or {}).get(n, ()))
        for i, (n, d) in enumerate(DIMS.items())
    }
    places = torch.rand(rows, 4, 4, generator=torch.Generator().manual_seed(9))
    tokens["photo"] = replace(tokens["photo"], where=places)
    tokens["title"] = replace(tokens["title"], where=20 * places[:, :3, :2])
    return tokens


@every_fusion
def test_shapes_and_documentation(name: str) -> None:
    fusion = make(name)
    fused = fusion(tokens_of())
    assert fused.pooled.shape == (5, 8)
    assert fused.tokens.x.shape == (5, 8, 8) and fused.tokens.mask.shape == (5, 8)  # 8 tokens, or 8 latents
    assert fusion.stage in ("early", "mid", "layer-wise", "late")
    assert "Stage:" in type(fusion).__doc__


@every_fusion
@settings(max_examples=15, deadline=None)
@given(extra=st.integers(0, 5), fill=st.sampled_from([0.0, 1e3, float("nan"), float("inf")]))
def test_padding_never_changes_the_answer(name: str, extra: int, fill: float) -> None:
    fusion, tokens = make(name), tokens_of(absent={"title": (1,)})
    padded = dict(tokens)
    for key, value in tokens.items():
        x = torch.cat([value.x, torch.zeros(5, extra, DIMS[key])], dim=1)
        mask = torch.cat([value.mask, torch.zeros(5, extra, dtype=torch.bool)], dim=1)
        where = None
        if value.where is not None:
            where = torch.cat([value.where, torch.zeros(5, extra, value.where.shape[2])], dim=1)
            where = where.masked_fill(~mask.unsqueeze(-1), fill)
        padded[key] = Tokens(x.masked_fill(~mask.unsqueeze(-1), fill), mask, where)
    torch.testing.assert_close(fusion(padded).pooled, fusion(tokens).pooled, rtol=1e-4, atol=1e-5)


@every_fusion
def test_absent_rows_equal_absent_columns(name: str) -> None:
    fusion, tokens = make(name), tokens_of()
    masked = {**tokens, "title": replace(tokens["title"], mask=torch.zeros_like(tokens["title"].mask))}
    absent = {**tokens, "title": Tokens.missing(5, 4)}
    torch.testing.assert_close(fusion(masked).pooled, fusion(absent).pooled)


@every_fusion
def test_gradients_are_finite_even_where_all_is_absent(name: str) -> None:
    fusion = make(name).train()
    tokens = tokens_of(absent=dict.fromkeys(DIMS, (0,)))
    fused = fusion(tokens)
    assert fused.pooled.isfinite().all()
    (fused.pooled.sum() + fused.tokens.x[fused.tokens.mask].sum()).backward()
    for parameter in fusion.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()


@every_fusion
def test_rows_do_not_touch_each_other(name: str) -> None:
    fusion, tokens = make(name), tokens_of(absent={"photo": (2,)})
    order = torch.tensor([3, 1, 4, 0, 2])
    shuffled = {key: value.take(order.unsqueeze(1)) for key, value in tokens.items()}
    torch.testing.assert_close(fusion(shuffled).pooled, fusion(tokens).pooled[order])


@every_fusion
def test_order_of_the_mapping_does_not_matter(name: str) -> None:
    fusion, tokens = make(name), tokens_of()
    torch.testing.assert_close(fusion(dict(reversed(tokens.items()))).pooled, fusion(tokens).pooled)


@every_fusion
def test_save_and_load(name: str, tmp_path) -> None:
    fusion, tokens = make(name), tokens_of()
    torch.manual_seed(1)
    other = make(name)
    other.load_state_dict(fusion.state_dict())
    assert torch.equal(other(tokens).pooled, fusion(tokens).pooled)


@pytest.mark.parametrize("name", WITH_POSITIONS)
def test_positions_are_read_and_are_nothing_at_first(name: str) -> None:
    """A place moves the answer once the embedding has learned; before, and where nothing lies anywhere, it does not."""
    fusion, tokens = make(name), tokens_of()
    nowhere = {key: replace(value, where=None) for key, value in tokens.items()}
    moved = {**tokens, "photo": replace(tokens["photo"], where=1 - tokens["photo"].where)}
    answers = [fusion(given).pooled for given in (tokens, moved, nowhere)]
    assert not torch.allclose(answers[0], answers[1], atol=1e-4) and not torch.allclose(
        answers[0], answers[2], atol=1e-4
    )
    torch.manual_seed(0)
    fresh = FUSIONS[WITH_POSITIONS[name]](DIMS, 8, positions=True).eval()
    torch.testing.assert_close(fresh(tokens).pooled, fresh(nowhere).pooled)


def corners(rows: int, source: torch.Generator) -> tuple[dict[str, Tokens], torch.Tensor]:
    """A grid of 4 x 4 with a colour somewhere in each corner, and a corner; the answer is the colour that lies there."""
    colours, cells = (torch.randint(4, (rows, 4), generator=source) for _ in range(2))
    corner, row = torch.arange(4), torch.arange(rows)[:, None]
    place = (corner // 2 * 2 + cells // 2) * 4 + corner % 2 * 2 + cells % 2
    x = torch.zeros(rows, 16, 4)
    x[row, place] = torch.eye(4)[colours]
    asked = torch.randint(4, (rows,), generator=source)
    grid = Tokens(x, torch.ones(rows, 16, dtype=torch.bool), grid_boxes(4, 4, rows))
    return {"grid": grid, "asked": Tokens.single(torch.eye(4)[asked])}, colours[row[:, 0], asked]


@pytest.mark.slow
def test_where_things_lie_is_learned_with_positions_only() -> None:
    scores = {}
    for positions in (False, True):
        torch.manual_seed(0)
        source = torch.Generator().manual_seed(1)
        fusion, head = FUSIONS["co_attention"]({"grid": 4, "asked": 4}, 32, positions=positions), torch.nn.Linear(32, 4)
        optimizer = torch.optim.AdamW([*fusion.parameters(), *head.parameters()], lr=5e-3)
        for _ in range(200):
            tokens, answer = corners(64, source)
            loss = torch.nn.functional.cross_entropy(head(fusion(tokens).pooled), answer)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tokens, answer = corners(500, source)
        scores[positions] = (head(fusion.eval()(tokens).pooled).argmax(dim=1) == answer).float().mean().item()
    assert scores[True] > 0.95 and scores[False] < 0.7  # the colour that most corners have is right in every second row


@every_fusion
def test_bfloat16(name: str) -> None:
    fusion, tokens = make(name), tokens_of()
    exact = fusion(tokens).pooled
    with torch.autocast("cpu", dtype=torch.bfloat16):
        close = fusion(tokens).pooled.float()
    torch.testing.assert_close(close, exact, rtol=0.1, atol=0.05)


@every_fusion
def test_float64(name: str) -> None:
    """Kept to the end and computed with: derivatives agree with differences that float32 would drown."""
    fusion = make(name).double()
    tokens = {key: replace(t, x=t.x.double()) for key, t in tokens_of(absent={"title": (1,)}).items()}
    fused = fusion(tokens)
    for x in (fused.pooled, fused.tokens.x, *(own for own, _ in fused.alone.values())):
        assert x.dtype == torch.float64
    assert fusion({**tokens, "title": Tokens.missing(5, 4, dtype=torch.float64)}).pooled.dtype == torch.float64
    torch.testing.assert_close(fused.pooled.float(), make(name)(tokens_of(absent={"title": (1,)})).pooled)
    photo, step = tokens["photo"], 1e-6 * torch.randn(5, 4, 6, dtype=torch.float64)
    photo.x.requires_grad_()
    (slope,) = torch.autograd.grad(fusion(tokens).pooled.sum(), photo.x)
    with torch.no_grad():
        ends = [fusion({**tokens, "photo": replace(photo, x=photo.x + s * step)}).pooled.sum() for s in (1, -1)]
    torch.testing.assert_close((ends[0] - ends[1]) / 2, (slope * step).sum(), rtol=1e-4, atol=1e-12)


@every_fusion
@pytest.mark.parametrize("count", [1, 2, 8])
def test_one_to_eight_modalities(name: str, count: int) -> None:
    dims = {f"m{i}": 2 + i for i in range(count)}
    fusion = make(name, dims)
    tokens = {key: fake_tokens(3, 2, dim) for key, dim in dims.items()}
    assert fusion(tokens).pooled.shape == (3, 8)


@every_fusion
def test_missing_name_is_an_error_and_none_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="expects modality 'title'"):
        make(name)({"photo": fake_tokens(2, 1, 6), "tabular": fake_tokens(2, 1, 3)})
    with pytest.raises(ValueError, match="at least one modality"):
        make(name, {})


def projected(fusion: torch.nn.Module, tokens: dict[str, Tokens]) -> np.ndarray:
    """`[M, B, H]` by numpy, zero where absent."""
    vectors = []
    for name in DIMS:
        linear = fusion.project.linears[name]
        mean = masked_mean(tokens[name]).numpy()
        vector = mean @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        vectors.append(vector * tokens[name].present.numpy()[:, None])
    return np.stack(vectors)


TOKENS = tokens_of(absent={"title": (1,), "photo": (3,)})


def close(actual: torch.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_concat_value() -> None:
    fusion = make("concat")
    stacked = np.concatenate(projected(fusion, TOKENS), axis=1)
    close(fusion(TOKENS).pooled, stacked @ fusion.mix.weight.detach().numpy().T + fusion.mix.bias.detach().numpy())


def test_sum_value() -> None:
    fusion = make("sum")
    close(fusion(TOKENS).pooled, projected(fusion, TOKENS).sum(axis=0))


def test_product_value() -> None:
    fusion = make("product")
    vectors = projected(fusion, TOKENS)
    present = np.stack([TOKENS[name].present.numpy() for name in DIMS])
    close(fusion(TOKENS).pooled, np.where(present[..., None], vectors, 1).prod(axis=0))


def test_product_of_nothing_is_zero() -> None:
    nothing = {name: Tokens.missing(2, dim) for name, dim in DIMS.items()}
    assert (make("product")(nothing).pooled == 0).all()


def test_gated_value() -> None:
    fusion = make("gated")
    vectors = projected(fusion, TOKENS)
    stacked = np.concatenate(vectors, axis=1)
    gates = 1 / (1 + np.exp(-(stacked @ fusion.gate.weight.detach().numpy().T + fusion.gate.bias.detach().numpy())))
    gates = np.stack(np.split(gates, 3, axis=1))
    close(fusion(TOKENS).pooled, (gates * np.tanh(vectors)).sum(axis=0))


def present() -> np.ndarray:
    return np.stack([TOKENS[name].present.numpy() for name in DIMS])  # [M, B]


def test_weighted_sum_value() -> None:
    fusion = make("weighted_sum")
    fusion.logits.data = torch.tensor([0.3, -1.0, 2.0])
    weights = np.exp([0.3, -1.0, 2.0])[:, None] * present()
    weights = weights / weights.sum(axis=0)
    close(fusion(TOKENS).pooled, (weights[..., None] * projected(fusion, TOKENS)).sum(axis=0))
    assert list(fusion.weights()) == list(DIMS) and sum(fusion.weights().values()) == pytest.approx(1)


def test_film_value() -> None:
    fusion = FUSIONS["film"](DIMS, 8, features="title").eval()
    photo, title, tabular = projected(fusion, TOKENS)
    scale, shift = np.split(linear(fusion.modulate, np.concatenate([photo, tabular], axis=1)), 2, axis=1)
    close(fusion(TOKENS).pooled, (1 + scale) * title + shift)
    with pytest.raises(ValueError, match="'titel' is no modality"):
        FUSIONS["film"](DIMS, 8, features="titel")


def test_tensor_value() -> None:
    fusion = FUSIONS["tensor"](DIMS, 8, width=3).eval()
    one = np.ones((5, 1))
    parts = [
        np.concatenate([linear(fusion.shrink[name], vector), one], axis=1)
        for name, vector in zip(DIMS, projected(fusion, TOKENS), strict=True)
    ]
    outer = np.einsum("bi,bj,bk->bijk", *parts).reshape(5, -1)
    close(fusion(TOKENS).pooled, linear(fusion.mix, outer))
    with pytest.raises(ValueError, match="8 modalities of width 9 has 100,000,000 elements"):
        FUSIONS["tensor"]({f"m{i}": 2 for i in range(8)}, 8, width=9)


def test_low_rank_is_the_full_tensor_fusion_of_its_factors() -> None:
    fusion = make("low_rank")
    rank = len(fusion.weights)
    factors = [  # [R, H, D + 1]: the appended one multiplies the bias
        np.concatenate([f.weight.detach().numpy(), f.bias.detach().numpy()[:, None]], axis=1).reshape(rank, 8, 9)
        for _, f in fusion.factors.items()
    ]
    tensor = np.einsum("r,rhi,rhj,rhk->hijk", fusion.weights.detach().numpy(), *factors)
    parts = [np.concatenate([vector, np.ones((5, 1))], axis=1) for vector in projected(fusion, TOKENS)]
    close(fusion(TOKENS).pooled, np.einsum("hijk,bi,bj,bk->bh", tensor, *parts))


def factors_product(maps: list, vectors: np.ndarray) -> np.ndarray:
    """The product over present modalities of each one's linear map."""
    mapped = np.stack([linear(layer, vector) for layer, vector in zip(maps, vectors, strict=True)])
    return np.where(present()[..., None], mapped, 1).prod(axis=0)


def root(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.sqrt(np.abs(x))


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_mlb_value() -> None:
    fusion = make("mlb")
    product = np.where(present()[..., None], np.tanh(projected(fusion, TOKENS)), 1).prod(axis=0)
    close(fusion(TOKENS).pooled, linear(fusion.mix, product))


def test_mutan_value() -> None:
    fusion = make("mutan")
    product = factors_product([f for _, f in fusion.factors.items()], np.tanh(projected(fusion, TOKENS)))
    close(fusion(TOKENS).pooled, sum(np.split(product, 5, axis=1)))


def test_mfb_value() -> None:
    fusion = make("mfb")
    product = factors_product([f for _, f in fusion.expand.items()], projected(fusion, TOKENS))
    summed = np.stack([product[:, 5 * h : 5 * h + 5].sum(axis=1) for h in range(8)], axis=1)
    np.testing.assert_allclose(fusion(TOKENS).pooled.detach(), unit(root(summed)), atol=1e-3)


def test_block_value() -> None:
    fusion = FUSIONS["block"](DIMS, 8, chunks=4, rank=3).eval()
    vectors = projected(fusion, TOKENS)
    weight, bias = fusion.weight.detach().numpy(), fusion.bias.detach().numpy()
    chunks = []
    for chunk in range(4):
        factors = np.stack(
            [vectors[m][:, 2 * chunk : 2 * chunk + 2] @ weight[m, chunk] + bias[m, chunk] for m in range(3)]
        )
        product = np.where(present()[..., None], factors, 1).prod(axis=0)
        chunks.append(unit(root(sum(np.split(product, 3, axis=1)))))
    expected = linear(fusion.mix, np.concatenate(chunks, axis=1))
    np.testing.assert_allclose(fusion(TOKENS).pooled.detach(), expected, atol=1e-3)
    with pytest.raises(ValueError, match="3 chunks do not divide the width 8"):
        FUSIONS["block"](DIMS, 8, chunks=3)


def test_compact_bilinear_is_the_sketch_of_the_outer_product() -> None:
    fusion = FUSIONS["compact_bilinear"](DIMS, 8, sketch=64).eval()
    bins, signs = fusion.bins.numpy(), fusion.signs.numpy()
    whole = {name: fake_tokens(2, 2, dim, seed=dim) for name, dim in DIMS.items()}
    a, b, c = projected(fusion, whole)
    sketch = np.zeros((2, 64))
    for i, j, k in np.ndindex(8, 8, 8):
        place = (bins[0, i] + bins[1, j] + bins[2, k]) % 64
        sketch[:, place] += signs[0, i] * signs[1, j] * signs[2, k] * a[:, i] * b[:, j] * c[:, k]
    np.testing.assert_allclose(fusion(whole).pooled.detach(), linear(fusion.mix, unit(root(sketch))), atol=1e-3)


def row_of(project: torch.nn.Module, row: int) -> dict[str, np.ndarray]:
    """One row's projected tokens without padding; modalities that it lacks have none."""
    return {n: linear(project.linears[n], TOKENS[n].x[row][TOKENS[n].mask[row]].numpy()) for n in DIMS}


ROWS = range(5)  # row 1 lacks the title, row 3 the photo


@pytest.mark.parametrize("row", ROWS)
def test_attention_fusions_by_hand(row: int) -> None:
    def check(name: str, fusion: torch.nn.Module, expected: np.ndarray) -> None:
        actual = fusion(TOKENS).pooled[row].detach().numpy()
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4, err_msg=name)

    fusion = make("self_attention")
    x = np.stack([t.mean(axis=0) for t in row_of(fusion.project, row).values() if len(t)])
    check("self_attention", fusion, self_block(fusion.blocks[0], x).mean(axis=0))

    fusion = make("co_attention")
    own = row_of(fusion.project, row)
    means = []
    for name in DIMS:
        others = np.concatenate([own[other] for other in DIMS if other != name])
        read = cross_block(fusion.rounds[0][name], own[name], others) if len(own[name]) else np.zeros((1, 8))
        means.append(read.mean(axis=0))
    check("co_attention", fusion, linear(fusion.mix, np.concatenate(means)))

    fusion = make("mult")
    own = row_of(fusion.project, row)
    total = np.zeros(8)
    for name in DIMS:
        brought = []
        for source, blocks in fusion.pairs[name].items():
            x = own[name]
            for block in blocks:
                x = cross_block(block, x, own[source]) if len(x) else x
            brought.append(x)
        x = np.concatenate(brought, axis=1)
        mean = self_block(fusion.own[name], x).mean(axis=0) if len(x) else np.zeros(x.shape[1])
        total += linear(fusion.out[name], mean)
    check("mult", fusion, total)

    fusion = make("single_stream")
    x = np.concatenate([fusion.summary.detach().numpy()[None], *row_of(fusion.project, row).values()])
    for block in fusion.blocks:
        x = self_block(block, x)
    check("single_stream", fusion, norm(fusion.norm, x)[0])

    fusion = make("perceiver")
    context = np.concatenate(list(row_of(fusion.project, row).values()))
    x = fusion.latents.detach().numpy()
    for read, think in zip(fusion.reads, fusion.thinks, strict=True):
        x = self_block(think, cross_block(read, x, context))
    check("perceiver", fusion, norm(fusion.norm, x).mean(axis=0))

    fusion = make("bottleneck")
    streams = {name: x for name, x in row_of(fusion.project, row).items() if len(x)}
    shared = fusion.shared.detach().numpy()
    for layer in fusion.layers:
        streams, shared = exchange(layer, streams, shared)
    check("bottleneck", fusion, np.mean([x.mean(axis=0) for x in streams.values()], axis=0) + shared.mean(axis=0))

    fusion = make("layerwise")
    streams, shared = {}, fusion.shared.detach().numpy()
    for project, layer in zip(fusion.projects, fusion.layers, strict=True):
        taken = {name: x for name, x in row_of(project, row).items() if len(x)}
        streams, shared = exchange(layer, {name: streams.get(name, 0) + x for name, x in taken.items()}, shared)
    check("layerwise", fusion, np.mean([x.mean(axis=0) for x in streams.values()], axis=0) + shared.mean(axis=0))


def exchange(layer: torch.nn.Module, streams: dict[str, np.ndarray], shared: np.ndarray) -> tuple[dict, np.ndarray]:
    out = {name: self_block(layer.blocks[name], np.concatenate([x, shared])) for name, x in streams.items()}
    count = len(shared)
    return {name: x[:-count] for name, x in out.items()}, np.mean([x[-count:] for x in out.values()], axis=0)


def test_layerwise_reads_evenly_spaced_layers() -> None:
    fusion = FUSIONS["layerwise"](DIMS, 8, depths=2).eval()
    layers = tuple(fake_tokens(5, 4, 6, seed=seed).x for seed in range(4))
    photo = TOKENS["photo"]
    deep = {**TOKENS, "photo": Tokens(layers[3], photo.mask, None, layers)}
    changed = {
        number: {
            **deep,
            "photo": Tokens(layers[3], photo.mask, None, (*layers[:number], layers[number] + 1, *layers[number + 1 :])),
        }
        for number in range(4)
    }
    same = {number: torch.equal(fusion(tokens).pooled, fusion(deep).pooled) for number, tokens in changed.items()}
    assert same == {0: True, 1: False, 2: True, 3: False}


SPACES = [Categorical(3), Binary(2), Real(1)]


def late(name: str) -> tuple[torch.nn.Module, np.ndarray]:
    """A late fusion of three targets, and what each modality says, by numpy: `[M, B, 6]`."""
    torch.manual_seed(0)
    fusion = FUSIONS[name](DIMS, 6, spaces=SPACES, hidden=0).eval()
    said = [linear(fusion.experts.heads[key].layers[0], masked_mean(TOKENS[key]).numpy()) for key in DIMS]
    return fusion, np.stack(said)


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("name", ["late_mean", "late_weighted"])
def test_late_mixtures(name: str) -> None:
    fusion, said = late(name)
    weights = present().astype(float)
    if name == "late_weighted":
        fusion.logits.data = torch.tensor([1.0, 0.0, -1.0])
        weights *= softmax(np.array([1.0, 0.0, -1.0]))[:, None]
        assert list(fusion.weights().values()) == pytest.approx(softmax(np.array([1.0, 0.0, -1.0])))
    weights = (weights / weights.sum(axis=0))[..., None]
    answer = fusion(TOKENS).pooled.detach().numpy()
    np.testing.assert_allclose(softmax(answer[:, :3]), (weights * softmax(said[..., :3])).sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(sigmoid(answer[:, 3:5]), (weights * sigmoid(said[..., 3:5])).sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(answer[:, 5:], (weights * said[..., 5:]).sum(axis=0), rtol=1e-4, atol=1e-6)


def test_late_product_value() -> None:
    fusion, said = late("late_product")
    fusion.log_precision.data[:, 5] = torch.tensor([0.0, 1.0, 2.0])
    here = present()[..., None]
    answer = fusion(TOKENS).pooled.detach().numpy()
    product = np.where(here, softmax(said[..., :3]), 1).prod(axis=0)
    np.testing.assert_allclose(softmax(answer[:, :3]), product / product.sum(axis=1, keepdims=True), rtol=1e-4)
    odds = np.where(here, np.exp(said[..., 3:5]), 1).prod(axis=0)
    np.testing.assert_allclose(sigmoid(answer[:, 3:5]), odds / (1 + odds), rtol=1e-4)
    precision = np.exp([0.0, 1.0, 2.0])[:, None, None] * here
    np.testing.assert_allclose(
        answer[:, 5:], (precision * said[..., 5:]).sum(axis=0) / precision.sum(axis=0), rtol=1e-4
    )


def test_stacking_is_linear_in_what_each_says_and_begins_as_their_mean() -> None:
    fusion, said = late("late_stacking")
    said[..., :3] = np.log(softmax(said[..., :3]))
    said *= present()[..., None]
    np.testing.assert_allclose(fusion(TOKENS).pooled.detach(), said.mean(axis=0), rtol=1e-4, atol=1e-6)
    weight, bias = torch.randn(6, 21), torch.randn(6)
    fusion.set_combiner(weight, bias)
    read = np.concatenate([*said, present().T], axis=1)
    np.testing.assert_allclose(
        fusion(TOKENS).pooled.detach(), read @ weight.numpy().T + bias.numpy(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", [name for name, made in FUSIONS.items() if made.stage == "late"])
def test_late_fusions_tell_what_each_modality_says(name: str) -> None:
    fusion, said = late(name)
    alone = fusion(TOKENS).alone
    assert list(alone) == list(DIMS)
    for position, (key, (outputs, there)) in enumerate(alone.items()):
        assert torch.equal(there, TOKENS[key].present)
        np.testing.assert_allclose(outputs[there].detach(), said[position][there.numpy()], rtol=1e-4, atol=1e-6)
