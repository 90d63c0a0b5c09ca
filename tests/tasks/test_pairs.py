"""What belongs to what: retrieval and matching, from losses to whole runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeEncoder, colour_table
from plait.alignment import info_nce, sigmoid_loss, triplet_loss
from plait.data.negatives import CANDIDATES, with_negatives
from plait.data.readers import open_table
from plait.data.table import Table
from plait.encoders.chunks import encode_in_chunks
from plait.errors import PlaitError
from plait.fusion import FUSIONS
from plait.heads import PredictHead
from plait.inference.reranking import evaluate_reranked
from plait.predictor import Predictor
from plait.recipe import Recipe, names_of
from plait.tasks import Matching, Retrieval, Targets, draw_matches
from plait.tasks.matching import draw_others
from plait.tasks.retrieval import LOSSES
from plait.types import Batch, Input, Tokens

TWO = ({"photo": ["photo"], "title": ["title"]}, {"photo": "image", "title": "text"})


def vectors(rows: int, sides: int, dim: int = 5, bias: float = 0.0) -> torch.Tensor:
    torch.manual_seed(rows + sides)
    unit = torch.nn.functional.normalize(torch.randn(rows, sides, dim), dim=2)
    return torch.cat([unit * 2.0, torch.full((rows, sides, 1), bias)], dim=2)  # scaled by two: logits are 4 cosines


def of_pairs(name: str, x: torch.Tensor, y: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    unit = torch.nn.functional.normalize
    if name == "info_nce":
        return info_nce(x, y, 1.0, same)
    if name == "sigmoid":
        return sigmoid_loss(x, y, 1.0, -1.0, same)
    return triplet_loss(unit(x, dim=1), unit(y, dim=1), 0.2, same)


@pytest.mark.parametrize(
    ("method", "hidden", "sees"),
    [("sum", 0, False), ("concat", 0, False), ("sum", 32, True), ("product", 0, True), ("mlb", 0, True)],
)
def test_what_adds_a_part_of_each_side_cannot_match(method: str, hidden: int, sees: bool) -> None:
    """Eight kinds, each with a vector a side. A linear logit is f(image) + g(text), whatever is learned."""
    torch.manual_seed(0)
    sides = {"photo": torch.randn(8, 16), "title": torch.randn(8, 12)}
    fusion, head = FUSIONS[method]({"photo": 16, "title": 12}, 16), PredictHead(16, {"match": 1}, hidden)
    optimizer = torch.optim.AdamW([*fusion.parameters(), *head.parameters()], lr=0.01)

    def logits(photos: torch.Tensor, titles: torch.Tensor) -> torch.Tensor:
        drawn = {name: sides[name][kinds] for name, kinds in (("photo", photos), ("title", titles))}
        tokens = {name: Tokens.single(x + 0.3 * torch.randn_like(x)) for name, x in drawn.items()}
        found: torch.Tensor = head(fusion(tokens))["match"][:, 0]
        return found

    for _ in range(100):
        photos, right = torch.randint(8, (256,)), torch.rand(256) < 0.5
        titles = torch.where(right, photos, (photos + torch.randint(1, 8, (256,))) % 8)
        torch.nn.functional.binary_cross_entropy_with_logits(logits(photos, titles), right.float()).backward()
        optimizer.step()
        optimizer.zero_grad()
    photos = torch.arange(8).repeat(100)
    found = [(logits(photos, (photos + 1 + at) % 8) > 0).float().mean() for at in range(8)]
    accuracy = float(found[7] + 1 - torch.stack(found[:7]).mean()) / 2
    assert accuracy > 0.95 if sees else accuracy < 0.6


@pytest.mark.parametrize("name", LOSSES)
class TestLosses:
    def test_it_is_the_loss_of_rows_that_have_both(self, name: Any, *_: object) -> None:
        task, given_ = Retrieval(*TWO, loss=name), vectors(6, 2, bias=-1.0)
        codes = torch.tensor([[0, 0], [1, 1], [2, -1], [3, 3], [-1, 4], [4, 5]])
        kept = [0, 1, 3, 5]
        x, y = given_[kept, 0, :-1], given_[kept, 1, :-1]
        expected = of_pairs(name, x, y, torch.eye(4, dtype=torch.bool))
        assert torch.allclose(task.loss(given_, codes), expected)

    def test_twins_are_no_negatives(self, name: Any) -> None:
        task, given_ = Retrieval(*TWO, loss=name), vectors(5, 2)
        codes = torch.tensor([[0, 0], [0, 1], [1, 2], [2, 2], [3, 4]])  # an image of two texts, a text of two images
        same = torch.eye(5, dtype=torch.bool)
        same[0, 1] = same[1, 0] = same[2, 3] = same[3, 2] = True
        bias = given_[:, 0, -1].mean()
        x, y = given_[:, 0, :-1], given_[:, 1, :-1]
        expected = sigmoid_loss(x, y, 1.0, bias, same) if name == "sigmoid" else of_pairs(name, x, y, same)
        assert torch.allclose(task.loss(given_, codes), expected)

    def test_both_directions_count_alike(self, name: Any) -> None:
        task, given_ = Retrieval(*TWO, loss=name), vectors(7, 2)
        codes = torch.arange(7)[:, None].expand(-1, 2)
        assert torch.allclose(task.loss(given_, codes), task.loss(given_.flip(1), codes))

    def test_three_sides_are_the_mean_over_the_anchors_pairs(self, name: Any) -> None:
        sides = {n: [n] for n in ("photo", "title", "sound")}
        task = Retrieval(sides, {"photo": "image", "title": "text", "sound": "text"}, anchor="title", loss=name)
        given_, codes = vectors(6, 3), torch.arange(6)[:, None].expand(-1, 3)
        two = Retrieval({"a": ["a"], "b": ["b"]}, {"a": "text", "b": "text"}, anchor="a", loss=name)
        parts = [two.loss(given_[:, [1, other]], codes[:, :2]) for other in (0, 2)]
        assert torch.allclose(task.loss(given_, codes), torch.stack(parts).mean())

    def test_a_batch_without_pairs_has_no_loss_and_gradients(self, name: Any) -> None:
        given_ = vectors(3, 2).requires_grad_()
        loss = Retrieval(*TWO, loss=name).loss(given_, torch.tensor([[0, -1], [1, -1], [-1, 2]]))
        loss.backward()
        assert loss == 0 and given_.grad is not None and not given_.grad.any()


def test_hard_negatives_count_more_against_numpy() -> None:
    given_ = vectors(5, 2)
    x, y = given_[:, 0, :-1].double().numpy(), given_[:, 1, :-1].double().numpy()
    logits, beta, losses = x @ y.T, 0.7, []
    for scores in (logits, logits.T):
        for i in range(5):
            others = np.delete(scores[i], i)
            weight = np.exp(beta * others) / np.exp(beta * others).sum() * len(others)
            losses.append(-np.log(np.exp(scores[i, i]) / (np.exp(scores[i, i]) + (weight * np.exp(others)).sum())))
    found = info_nce(given_[:, 0, :-1], given_[:, 1, :-1], 1.0, hardness=beta)
    assert float(found) == pytest.approx(np.mean(losses), abs=1e-5)
    assert found > info_nce(given_[:, 0, :-1], given_[:, 1, :-1], 1.0)


def test_metrics_have_the_fields_names_and_count_twins_once() -> None:
    task = Retrieval(*TWO)
    codes = np.array([[0, 0], [0, 1], [1, 2], [2, 3]])
    x, y = np.eye(3, 5, dtype=np.float32), np.eye(3, 5, dtype=np.float32)
    rows = np.stack([np.stack([x[p], y[t]]) for p, t in [(0, 0), (0, 0), (1, 2), (2, 1)]])
    found = task.score(codes, rows)
    # texts 0 and 1 find their image; 2 and 3 are exchanged. Of three images one finds a text of its own.
    assert found["img_r1"] == 0.5 and found["txt_r1"] == pytest.approx(1 / 3)
    assert set(found) == set(task.measures)
    three = Retrieval({n: [n] for n in "abc"}, dict.fromkeys("abc", "text"))
    assert "b_by_a_r1" in three.measures and "a_by_c_r5" in three.measures


def test_a_row_without_a_side_has_no_similarity() -> None:
    given_ = vectors(3, 2)
    given_[1, 1, :-1] = 0
    task = Retrieval(*TWO)
    found = task.columns("pairs", task.predictions(given_))["similarity_title"]
    cosine = torch.nn.functional.cosine_similarity(given_[:, 0, :-1], given_[:, 1, :-1])
    assert np.isnan(found[1]) and found[[0, 2]] == pytest.approx(cosine[[0, 2]].numpy(), abs=1e-6)


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=40), st.integers(0, 9))
def test_drawn_others_are_no_matches(pairs: list[tuple[int, int]], seed: int) -> None:
    codes = np.array(pairs)
    taken = draw_others(codes, np.random.default_rng(seed), tries=60)
    for row, other in enumerate(taken):
        if other >= 0:
            assert (codes[row] >= 0).all() and (codes[other] >= 0).all()
            assert (codes[row] != codes[other]).all()


def test_a_table_with_drawn_non_matches() -> None:
    frame = pd.DataFrame({"photo": [f"{n}.png" for n in range(8)], "title": [f"text {n}" for n in range(8)]})
    task = Matching(*TWO[:1], negatives="random")
    drawn = draw_matches(Table.from_frame(frame), task, seed=3)
    labels = np.array(drawn.cells("match", range(len(drawn))))
    assert len(drawn) == 16 and labels.tolist() == [1] * 8 + [0] * 8
    photos, titles = (drawn.cells(name, range(16)) for name in ("photo", "title"))
    agree = [p.split(".")[0] == t.split()[1] for p, t in zip(photos, titles, strict=True)]
    assert agree == [True] * 8 + [False] * 8
    assert task.read(drawn)[:, 0].tolist() == labels.tolist()


def batch_of(codes: list[list[int]]) -> Batch:
    inputs = {
        name: Input({"x": torch.arange(float(len(codes))).view(-1, 1, 1), "mask": torch.ones(len(codes), 1) > 0})
        for name in ("photo", "title")
    }
    target = torch.tensor([[1, *row] for row in codes])
    return Batch(inputs, {"match": target}, torch.arange(len(codes)))


def test_negatives_of_a_batch_share_its_values() -> None:
    torch.manual_seed(0)
    batch = batch_of([[0, 0], [1, 1], [1, 2], [2, 3], [3, 0]])
    found = with_negatives(batch, "match", "photo")
    assert len(found) == 10 and found.inputs["photo"].features is batch.inputs["photo"].features
    anchors, rest = (found.inputs[name].index[:, 0] for name in ("photo", "title"))
    codes = batch.targets["match"]
    for row in range(5, 10):
        assert codes[anchors[row], 1] != codes[rest[row], 1] and codes[anchors[row], 2] != codes[rest[row], 2]
    assert found.targets["match"][:, 0].tolist() == [1] * 5 + [0] * 5


def test_hard_negatives_are_those_that_the_model_takes_for_matches() -> None:
    torch.manual_seed(0)
    batch = batch_of([[n, n] for n in range(40)])

    def score(candidates: Batch) -> torch.Tensor:  # the nearer the numbers, the more they seem to match
        a, b = (candidates.inputs[name].index[:, 0] for name in ("photo", "title"))
        assert len(candidates) == 40 * CANDIDATES
        return -(a - b).abs().float().unsqueeze(1)

    def distance(found: Batch) -> float:
        a, b = (found.inputs[name].index[40:, 0] for name in ("photo", "title"))
        return float((a - b).abs().float().mean())

    hard, random = with_negatives(batch, "match", "photo", score), with_negatives(batch, "match", "photo")
    assert distance(hard) < distance(random) / 2


def test_parts_of_a_batch_give_its_gradients() -> None:
    torch.manual_seed(0)
    encoder = FakeEncoder()
    features = {"x": torch.randn(10, 3, 4), "mask": torch.ones(10, 3, dtype=torch.bool)}
    seen: list[int] = []
    encoder.register_forward_pre_hook(lambda _, given_: seen.append(len(given_[0]["x"])))

    def gradient(run: Any) -> torch.Tensor:
        encoder.zero_grad()
        pooled = run().x.mean(dim=1)
        info_nce(pooled, pooled.flip(1), 1.0).backward()
        return encoder.linear.weight.grad.clone()

    whole = gradient(lambda: encoder(features))
    seen.clear()
    parts = gradient(lambda: encode_in_chunks(encoder, features, 4))
    assert torch.allclose(whole, parts, atol=1e-6)
    assert max(seen) == 4 and seen.count(4) == 4  # two whole parts, each forwards and once more for its gradient


def test_parts_leave_moving_statistics_as_one_pass_would() -> None:
    torch.manual_seed(0)

    class Normed(FakeEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(8)

        def forward(self, features: dict[str, torch.Tensor]) -> Any:
            tokens = super().forward(features)
            tokens.x = self.norm(tokens.x.flatten(0, 1)).view_as(tokens.x)
            return tokens

    encoder = Normed()
    features = {"x": torch.randn(6, 1, 4), "mask": torch.ones(6, 1, dtype=torch.bool)}
    encode_in_chunks(encoder, features, 3).x.square().sum().backward()
    assert int(encoder.norm.num_batches_tracked) == 2  # each part once, though each was encoded twice


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_table(tmp_path_factory.mktemp("colours"), rows=48)


QUICK = {"epochs": 2, "batch_size": 16, "precision": "float32", "device": "cpu"}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_retrieval_run_from_table_to_answers(loss: str, colours: Path, tmp_path: Path) -> None:
    predictor = Predictor(task={"type": "retrieval", "loss": loss}, output=tmp_path / "r", train=QUICK, verbose=False)
    predictor.fit(colours)
    assert list(predictor.inputs_) == ["photo", "title"]  # prices and answers are nothing to be found by
    found = predictor.embed(colours)
    assert {name: x.shape for name, x in found.items()} == {"photo": (48, 256), "title": (48, 256)}
    again = Predictor.load(tmp_path / "r")
    assert np.allclose(again.embed(colours)["title"], found["title"], atol=1e-5)
    assert again.evaluate(colours) == pytest.approx(predictor.evaluate(colours), abs=1e-6)
    frame = pd.read_csv(colours).drop(columns="photo")
    assert np.isnan(again.embed(Table.from_frame(frame))["photo"]).all()
    report = (tmp_path / "r" / "report.html").read_text()
    assert "What is found" in report and report.count('class="card asked"') >= 4  # some of val's texts


def test_numbers_and_texts_and_pictures_around_an_anchor(colours: Path, tmp_path: Path) -> None:
    inputs = {"photo": {"modality": "image"}, "title": {"modality": "text"}, "price": {"modality": "number"}}
    task = {"type": "retrieval", "anchor": "title"}
    predictor = Predictor(task=task, inputs=inputs, output=tmp_path / "r", train=QUICK, verbose=False).fit(colours)
    assert "tabular_by_title_r1" in predictor.metrics_["val"] and "title_by_photo_r10" in predictor.metrics_["val"]


def test_captions_of_one_picture_stay_on_one_side(colours: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(colours)
    twice = pd.concat([frame, frame.assign(title="the same image again, in other words")])
    twice.to_csv(colours.parent / "twice.csv", index=False)
    predictor = Predictor(task={"type": "retrieval"}, output=tmp_path / "r", train=QUICK, verbose=False)
    predictor.fit(colours.parent / "twice.csv")
    judged = pd.read_parquet(tmp_path / "r" / "predictions.parquet")["row"].to_numpy() - 1
    held = set(twice["photo"].to_numpy()[judged])
    assert len(judged) == 2 * len(held)  # both texts of each


@pytest.mark.parametrize("negatives", ["random", "hard"])
def test_a_matching_run_with_drawn_non_matches(negatives: str, colours: Path, tmp_path: Path) -> None:
    task = {"type": "matching", "negatives": negatives}
    predictor = Predictor(task=task, output=tmp_path / "m", train=QUICK, verbose=False).fit(colours)
    found = predictor.evaluate(colours)
    assert set(found) == {"accuracy", "average_precision", "roc_auc", "log_loss"}
    assert found == predictor.evaluate(colours)  # the same non-matches each time
    assert predictor.predict_proba(colours).shape == (48, 2) and predictor.classes_ == ["no", "yes"]
    assert Predictor.load(tmp_path / "m").evaluate(colours) == pytest.approx(found, abs=1e-6)
    assert "Answers: match" in (tmp_path / "m" / "report.html").read_text()


def test_matching_learns_from_labels(colours: Path, tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", task={"type": "matching"}, output=tmp_path / "m", fusion="product", data={"val": "none"},
        inputs={"photo": {"encoder": "scratch:cnn"}, "title": {"encoder": "scratch:bag"}},
        train={**QUICK, "epochs": 60, "learning_rate": 0.003}, types={"price": "ignore", "shade": "ignore"}, verbose=False,
    ).fit(colours)  # fmt: skip
    assert predictor.evaluate(colours)["accuracy"] > 0.9  # yes where photo and title name one colour


@pytest.mark.parametrize("fusion", [name for name, made in FUSIONS.items() if made.stage == "late"])
def test_matching_by_the_answers_of_each_modality(fusion: str, colours: Path, tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", task={"type": "matching"}, output=tmp_path / "m", fusion=fusion, data={"val": 0.2},
        inputs={"title": {"encoder": "scratch:bag"}}, types={"photo": "ignore"},
        train={**QUICK, "epochs": 2}, verbose=False,
    ).fit(colours)  # fmt: skip
    probabilities = predictor.predict_proba(colours)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert probabilities.shape == (48, 2) and probabilities[:, 1].std() > 0


class Oracle:
    """A matching run that knows which titles belong to which photos."""

    def __init__(self, table: Table) -> None:
        self.belongs = set(zip(table.iterate("photo"), table.iterate("title"), strict=True))
        pairs = Matching(*TWO[:1], negatives="random")
        self.targets_ = Targets({"match": pairs})

    def predict_proba(self, table: Table) -> np.ndarray:
        pairs = zip(table.iterate("photo"), table.iterate("title"), strict=True)
        yes = np.array([pair in self.belongs for pair in pairs], dtype=float)
        return np.column_stack([1 - yes, yes])


def test_two_stages(colours: Path, tmp_path: Path) -> None:
    finder = Predictor(task={"type": "retrieval"}, output=tmp_path / "r", train=QUICK, verbose=False).fit(colours)
    table = open_table(colours)
    alone, oracle = finder.evaluate(colours), Oracle(table)
    untouched = evaluate_reranked(finder, oracle, colours, top=5, weight=0.0)  # type: ignore[arg-type]
    for name in ("txt_r1", "img_r1", "img_r5", "r_mean", "median_rank", "mrr"):
        assert untouched[name] == pytest.approx(alone[name]), name
    known = evaluate_reranked(finder, oracle, colours, top=5, weight=1e3)  # type: ignore[arg-type]
    assert known["img_r1"] == pytest.approx(alone["img_r5"])  # what the first stage brought is put first
    assert known["img_r10"] == pytest.approx(alone["img_r10"])  # and nothing that it did not bring


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"task": {"type": "retrieval", "target": "answer"}}, "retrieval has no target"),
        ({"task": {"type": "retrieval", "margin": 0.5}}, "belongs to task.loss=triplet"),
        ({"task": {"type": "retrieval", "class_weights": "balanced"}}, "belongs to multilabel, classification"),
        ({"task": {"type": "retrieval", "anchor": "foto"}}, "foto"),
        ({"task": {"type": "retrieval"}, "fusion": {"method": "gated"}}, "nothing is fused"),
        ({"task": {"type": "retrieval"}, "fusion": {"hiden": 3}}, "did you mean 'hidden'"),
        ({"task": {"type": "retrieval"}, "head": {"hidden": 3}}, "head.hidden: nothing reads it"),
        ({"task": {"type": "retrieval"}, "train": {"auxiliary": 0.5}}, "train.auxiliary"),
        ({"task": {"type": "retrieval"}, "inputs": {"photo": {"modality": "image"}}}, "needs two inputs"),
        ({"task": [{"type": "retrieval"}, {"target": "answer"}]}, "only task"),
        ({"task": {"type": "classification"}}, "task.target is missing"),
        ({"task": {"type": "matching", "target": "title"}}, "expected 1 or 0"),
        ({"task": {"type": "matching"}, "fusion": {"method": "boosted"}}, "another fusion"),
        ({"task": {"type": "retrieval"}, "data": {"repeat": "title"}}, "title"),
    ],
)
def test_recipes_that_make_no_sense(recipe: dict[str, Any], said: str, colours: Path, tmp_path: Path) -> None:
    whole = {**recipe, "train": {**QUICK, **recipe.get("train", {})}}
    with pytest.raises(PlaitError, match=said):
        typed = names_of(recipe)
        Predictor.from_recipe(Recipe.parse(whole), tmp_path / "r", verbose=False, typed=typed).fit(colours)


def test_rows_are_seen_as_often_as_said(colours: Path) -> None:
    from plait.runs.prepare import repeated

    table = Table.from_frame(pd.DataFrame({"times": [1, 3, None, 0]}))
    assert repeated(table, "times", np.array([0, 1, 2, 3])).tolist() == [0, 1, 1, 1, 2]


def _gathered(rank: int, port: int, folder: str) -> None:
    from torch.distributed import destroy_process_group, init_process_group

    from plait.training.gather import gather_rows

    init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    own, codes = torch.load(f"{folder}/{rank}.pt", weights_only=True)
    weight = torch.ones(3, requires_grad=True)
    found, truth = gather_rows({"pairs": own * weight}, {"pairs": codes})
    Retrieval(*TWO).loss(found["pairs"], truth["pairs"]).backward()
    torch.save(weight.grad, f"{folder}/gradient{rank}.pt")
    destroy_process_group()


def test_two_processes_are_one_batch(tmp_path: Path) -> None:
    """The mean of the processes' gradients is that of one process with all rows, however they are shared out."""
    import socket

    whole, codes = vectors(7, 2, dim=2), torch.arange(7)[:, None].repeat(1, 2)
    for rank, rows in enumerate((slice(0, 4), slice(4, 7))):
        torch.save((whole[rows], codes[rows]), tmp_path / f"{rank}.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_gathered, (port, str(tmp_path)), nprocs=2)
    weight = torch.ones(3, requires_grad=True)
    Retrieval(*TWO).loss(whole * weight, codes).backward()
    found = [torch.load(tmp_path / f"gradient{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert torch.allclose((found[0] + found[1]) / 2, weight.grad, atol=1e-6)
