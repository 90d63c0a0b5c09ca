"""What people meet in their first hour: their own frames and files, through fit and predict."""

import copy
import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from plait import Predictor
from plait.build.unread import unread
from plait.cli import app
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError, PlaitError, RecipeError
from plait.inference.generate import Writer
from plait.inference.predict import predict_row

TRAIN = {"epochs": 8, "batch_size": 32, "learning_rate": 0.01, "device": "cpu", "precision": "float32"}


def frame(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """A number that decides, and a text that says nothing."""
    a = np.random.default_rng(seed).normal(size=rows)
    return pd.DataFrame(
        {"a": a, "t": [f"some words here {i % 7}" for i in range(rows)], "y": np.where(a > 0, "b", "s")}
    )


def fitted(table: Any, folder: Path, target: Any = "y", **options: Any) -> Predictor:
    train = {**TRAIN, **options.pop("train", {})}
    return Predictor(target, output=folder / "run", train=train, verbose=False, **options).fit(table)


@pytest.mark.parametrize("kind", ["integers", "floats with a hole", "booleans", "texts", "categories", "nullable"])
def test_predictions_are_what_the_table_holds(kind: str, tmp_path: Path) -> None:
    given = frame()
    high = given["a"] > 0
    given["y"] = {
        "integers": high.astype(int) * 2 - 1,
        "floats with a hole": high.astype(float).where(given.index != 5),
        "booleans": high,
        "texts": np.where(high, "07", "7"),
        "categories": pd.Categorical(np.where(high, 3, 10)),
        "nullable": high.astype("Int64"),
    }[kind]
    predictor = fitted(given, tmp_path, data={"on_error": "skip"})
    known = given[given["y"].notna()]
    said = predictor.predict(known)
    assert np.mean(said == known["y"].to_numpy()) == pytest.approx(predictor.evaluate(known)["accuracy"])
    assert Predictor.load(tmp_path / "run").predict(known).tolist() == said.tolist()


def test_one_empty_cell_changes_nothing(tmp_path: Path) -> None:
    """pandas turns a column of integers with a hole into floats; so do files that it writes."""
    random = np.random.default_rng(0)
    codes = random.integers(1, 9, 160)
    given = pd.DataFrame({"code": codes, "x": random.normal(size=160), "y": np.where(codes % 2, "odd", "even")})
    options = {"inputs": {"code": {"modality": "category"}, "x": {"modality": "number"}}}
    predictor = fitted(given.astype({"code": str}), tmp_path, **options)
    whole = predictor.evaluate(given)["accuracy"]
    holed = given.assign(code=given["code"].astype(float).where(given.index != 3))
    holed.to_csv(tmp_path / "holed.csv", index=False)
    assert whole > 0.95
    for carrier in (holed, tmp_path / "holed.csv"):
        assert predictor.evaluate(carrier)["accuracy"] >= whole - 1 / len(given)


def test_columns_named_by_numbers_and_like_our_own(tmp_path: Path) -> None:
    numbered = frame()[["y", "a", "t"]]
    numbered.columns = range(3)
    assert fitted(numbered, tmp_path / "0", target=0, types={2: "text"}).classes_ == ["b", "s"]
    own = frame().rename(columns={"a": "row", "t": "weight.`kg`", "y": "pooled"}).assign(part=1.5)
    predictor = fitted(own, tmp_path / "1", target="pooled")
    found = next(predictor.predict_frames(own))
    assert found.iloc[:, 0].tolist() == list(range(1, 121)) and "pooled" in found
    target = frame().rename(columns={"y": "row"})
    columns = list(next(fitted(target, tmp_path / "2", target="row").predict_frames(target)).columns)
    assert columns == ["row_", "row", "row_probability", "row_p_b", "row_p_s"]
    with pytest.raises(DataError, match="two columns of the name '1'"):
        Table.from_frame(pd.DataFrame([[1, 2]], columns=[1, "1"]))


class Opaque:
    """An object that no modality covers."""


def test_frames_as_people_make_them() -> None:
    rows = 24
    given = pd.DataFrame(
        {
            "waited": pd.to_timedelta(np.arange(rows) * 37, unit="s"),
            "opens": [datetime.time(i % 24, 5) for i in range(rows)],
            "price": [decimal.Decimal(i) / 7 for i in range(rows)],
            "month": pd.period_range("2024-01", periods=rows, freq="M"),
            "bucket": pd.cut(np.arange(rows), 3),
            "count": pd.array([None, *(i * i % 7 for i in range(rows - 1))], dtype="Int64"),
            "thing": [Opaque() for _ in range(rows)],
            "mixed": [Opaque() if i % 2 else "text" for i in range(rows)],
            "photo": [Image.new("RGB", (4, 3), (i, 0, 0)) for i in range(rows)],
            "array": [np.full((3, 4), i, np.uint8) for i in range(rows)],
            "vector": [np.full(5, i / 7) for i in range(rows)],
        }
    )
    schema = infer_schema(Table.from_frame(given))
    modalities = {name: column.modality for name, column in schema.items()}
    assert modalities == {
        "waited": "number", "opens": "number", "price": "number", "month": "date", "bucket": "category",
        "count": "number", "thing": "ignore", "mixed": "ignore", "photo": "image", "array": "image", "vector": "ignore",
    }  # fmt: skip
    assert "seconds" in schema["waited"].reason and "Opaque objects" in schema["thing"].reason
    for what in ("the target", "text"):
        with pytest.raises(DataError, match=f"'thing' can't be {what}: its cells are Opaque"):
            infer_schema(Table.from_frame(given), *({"thing": what},) if what == "text" else ({}, {"thing": what}))
    with pytest.raises(DataError, match=r"row 1, column 'x': expected an image as H×W.*channels first"):
        Table.from_frame(pd.DataFrame({"x": [np.zeros((3, 8, 8), np.uint8)]}))
    with pytest.raises(DataError, match="uint8"):
        Table.from_frame(pd.DataFrame({"x": [np.zeros((8, 8, 3))]}))


@pytest.mark.parametrize("cell", ["\ud800", ["\ud800"], {"a": "\ud800"}], ids=["text", "list", "dict"])
def test_half_a_character_is_a_line(cell: Any) -> None:
    with pytest.raises(DataError, match="column 'x': half a character"):
        Table.from_frame(pd.DataFrame({"x": pd.Series([cell, None], dtype=object)}))


def test_dates_that_python_has_no_value_for(tmp_path: Path) -> None:
    import pyarrow as pa

    for kind in (pa.timestamp("s"), pa.timestamp("ns", "Mars/Phobos")):
        table = Table(pa.table({"d": pa.array([0, 2**60], kind), "x": [1, 2]}), None, "t")
        with pytest.raises(DataError, match=r"t: row \d, column 'd': this timestamp"):
            table.cells("d", [0, 1])


@pytest.mark.parametrize(
    ("name", "text", "modality", "reason"),
    [
        ("price", ["$12.50", "$3.10", "$4"], "number", "in \\$"),
        ("price", ["12,5", "3,75", "4"], "number", "',' before the fraction"),
        ("price", ["1,234.50", "3.10", "12"], "number", "',' between thousands"),
        ("price", ["1,234", "2,345", "3,456"], "category", "--decimal"),
        ("day", ["2026-01-02", "27/11/2026", "03/04/2026"], "date", "day/month/year"),
        ("day", ["2026-01-02", "03/04/2026", "05/06/2026"], "category", "write dates as"),
        ("size", ["1", "2", "S", "3"], "category", "10 of 40 are not, such as 'S'"),
        ("code", ["1_12", "2_3", "11_2"], "category", "distinct short values"),
        ("version", ["3.1", "3.10", "3.2"], "category", "codes, such as '3.10'"),
        ("zip", ["07001", "10115", "20095"], "category", "codes"),
    ],
)
def test_numbers_and_dates_as_people_write_them(
    name: str, text: list[str], modality: str, reason: str, tmp_path: Path
) -> None:
    import re

    values = [text[i % len(text)] for i in range(40)]
    pd.DataFrame({name: values, "y": ["a", "b"] * 20}).to_csv(tmp_path / "t.csv", index=False)
    column = infer_schema(open_table(tmp_path / "t.csv"))[name]
    assert column.modality == modality and re.search(reason, column.reason), column


def test_a_form_is_learned_and_used_again(tmp_path: Path) -> None:
    given = frame()
    written = given.assign(a=[f"{1000 * x:,.2f}".translate(str.maketrans(",.", ".,")) + " €" for x in given["a"]])
    written.to_csv(tmp_path / "t.csv", sep=";", index=False)
    predictor = fitted(tmp_path / "t.csv", tmp_path)
    assert predictor.schema_["a"].form == {"decimal": ",", "thousands": ".", "unit": "€"}
    plain = predictor.predict(given.assign(a=(1000 * given["a"]).round(2)))
    assert plain.tolist() == Predictor.load(tmp_path / "run").predict(tmp_path / "t.csv").tolist()
    target = fitted(tmp_path / "t.csv", tmp_path / "2", target="a")
    assert abs(target.predict(given).mean()) < 1000 and target.targets_.tasks["a"].to_json()["form"]["unit"] == "€"


def test_every_command_reads_what_train_reads(tmp_path: Path) -> None:
    rows = range(60)
    table = pd.DataFrame(
        {"a": [f"a thing of kind {i}" for i in rows], "b": [f"what thing {i} is called" for i in rows]}
    )
    table["price"], table["sold"] = [f"{i},5 €" for i in rows], [f"{1 + i % 28}/{1 + i % 12}/2026" for i in rows]
    table["answer"] = [i % 2 == 0 for i in rows]
    path, quick = tmp_path / "t.csv", ["train.epochs=1", "train.device=cpu", "train.baseline=off"]
    table.to_csv(path, sep=";", index=False)
    run, pairs, index = (str(tmp_path / name) for name in ("run", "pairs", "index"))
    for words in (
        ["check", path, "-t", "answer", "--json"],
        ["train", path, "-t", "answer", "-o", run, *quick],
        ["predict", run, path, "-o", tmp_path / "answers.csv"],
        ["predict", run, "--set", "price=1,5 €", "sold=31/12/2026"],
        ["evaluate", run, path, "--modalities"],
        ["compare", path, "-t", "answer", "--fusions", "concat", "--folds", "2", "-o", tmp_path / "against", *quick],
        ["train", path, "--task", "retrieval", "-o", pairs, "--type", "price=ignore", "--type", "sold=ignore", *quick],
        ["index", pairs, path, "-o", index],
        ["search", index, "a thing", "--where", "price > 1 and sold = '2/2/2026'", "--json"],
    ):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, (words, done.output, done.exception)
    (hit,) = json.loads(done.stdout)
    assert (hit["row"]["price"], hit["row"]["b"]) == (1.5, "what thing 1 is called")


def test_quotes_neither_swallow_rows_nor_refuse_a_good_file(tmp_path: Path) -> None:
    def cells(name: str, text: str) -> list[list[Any]]:
        (tmp_path / name).write_text(text)
        table = open_table(tmp_path / name)
        return [table.cells(column, range(len(table))) for column in table.columns]

    assert cells("a.csv", 'x,y\n5" screen,1\n"two, words",2\n') == [['5" screen', "two, words"], ["1", "2"]]
    assert cells("b.tsv", 'x\ty\n"lone\t1\nplain\t2\n') == [['"lone', "plain"], ["1", "2"]]
    assert cells("c.csv", 'x,y\n"two\nlines",1\nb,2\n') == [["two\nlines", "b"], ["1", "2"]]
    mixed = cells("d.csv", 'x,y\n"two\nlines, long",1\n"lone,2\n"a ""b""",3\n')
    assert mixed == [["two\nlines, long", '"lone', 'a "b"'], ["1", "2", "3"]]
    assert cells("e.csv", "x;y\na, b;1,5\nc;2\n")[0] == ["a, b", "c"]
    assert cells("f.csv", "x;y,z\n1;2,3\n")[0] == ["1;2"]


def test_hidden_files_are_no_data_but_the_given_folder_may_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / ".hidden" / "pets"
    for name in ("cat/1.png", "dog/2.png", "cat/.ipynb_checkpoints/1.png", "__MACOSX/cat/3.png", "dog/._2.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / name)
    table = open_table(root)
    assert table.cells("label", range(len(table))) == ["cat", "dog"]
    assert "3 hidden images are left out" in capsys.readouterr().err


@pytest.mark.parametrize("carrier", ["dicts", "columns", "arrow", "one row"])
def test_rows_in_memory(carrier: str, tmp_path: Path) -> None:
    given = frame()
    predictor = fitted(given, tmp_path)
    rows: Any = {
        "dicts": given.drop(columns="y").to_dict("records"),
        "columns": given.drop(columns="y").to_dict("list"),
        "arrow": Table.from_frame(given).data,
        "one row": {"a": float(given["a"][0]), "t": given["t"][0]},
    }[carrier]
    said = predictor.predict(rows)
    assert said.tolist() == predictor.predict(given).tolist()[: len(said)]
    with pytest.raises(DataError, match="columns differ in length"):
        predictor.predict({"a": [1, 2], "t": "x"})


@pytest.mark.parametrize("on_error", ["skip", "missing"])
def test_a_bad_cell_of_any_modality(on_error: str, tmp_path: Path) -> None:
    given = frame()
    bad = given.assign(a=[str(x) for x in given["a"]], d="2026-01-02")
    bad["d"] = [f"2026-01-{1 + i % 28:02d}" for i in range(len(bad))]
    bad.loc[3, "a"], bad.loc[5, "d"] = "oops", "someday"
    options: dict[str, Any] = {"types": {"a": "number", "d": "date"}}
    with pytest.raises(DataError, match=r"row 4: column 'a': expected a number, got 'oops'.*--on-error missing"):
        fitted(bad, tmp_path / "refuse", **options)
    predictor = fitted(bad, tmp_path / on_error, data={"on_error": on_error}, **options)
    told = (tmp_path / on_error / "run" / "problems.jsonl").read_text()
    assert "oops" in told and "someday" in told
    with pytest.raises(DataError, match="oops"):
        predictor.predict(bad)
    said = predictor.predict(bad, on_error=on_error)
    assert len(said) == len(bad)
    assert [row for row, answer in enumerate(said) if answer is None] == ([3, 5] if on_error == "skip" else [])
    problems: list[str] = []
    found = next(predictor.predict_frames(bad, problems=problems, on_error=on_error))
    assert len(problems) == 2 and found["y"].isna().sum() == (2 if on_error == "skip" else 0)


def test_a_bad_target_is_left_out(tmp_path: Path) -> None:
    given = frame().assign(y=lambda f: f["a"].astype(str))
    given.loc[7, "y"] = "unknown"
    options: dict[str, Any] = {"task": {"type": "regression"}}
    with pytest.raises(DataError, match="row 8: column 'y': expected a number, got 'unknown'"):
        fitted(given, tmp_path / "a", **options)
    assert len(fitted(given, tmp_path / "b", data={"on_error": "skip"}, **options).predict(given)) == 120


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"task": {"label_smoothing": 0.1, "type": "regression"}, "target": "a"}, "task.label_smoothing"),
        ({"fusion": {"method": "product", "rank": 8}}, "fusion.rank"),
        ({"fusion": {"method": "late_mean", "dim": 64}}, "fusion.dim"),
        ({"decoder": "rnn"}, "decoder.method"),
        ({"generation": {"beams": 4}}, "generation.beams"),
        ({"inputs": {"a": {"size": 3}}}, "inputs.a.size"),
        ({"train": {"distillation": 0.2}}, "train.distillation"),
        ({"train": {"self_critical": 0.5}}, "train.self_critical"),
    ],
)
def test_an_option_that_nothing_reads_is_refused_where_it_was_typed(
    options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    target = options.pop("target", "y")
    with pytest.raises(RecipeError, match=f"^{name}: nothing reads it here"):
        fitted(frame(), tmp_path, target=target, **copy.deepcopy(options))
    assert not (tmp_path / "run").exists()
    recipe = Predictor(target, verbose=False, **{**options, "train": {**TRAIN, **options.get("train", {})}}).recipe
    given = frame()
    given.to_csv(tmp_path / "t.csv", index=False)
    made = Predictor.from_recipe(recipe, tmp_path / "run", verbose=False).fit(
        tmp_path / "t.csv"
    )  # from a recipe it is said
    assert (
        name in (tmp_path / "run" / "report.html").read_text() and unread(made.recipe_, {target: "x"}).get(name) is None
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": {"method": "self_attention", "heads": 0}}, "fusion.heads: expected a whole number from 1"),
        ({"fusion": {"method": "perceiver", "latents": -1}}, "fusion.latents: expected a whole number from 1"),
        ({"tabular": {"layers": 1e29}}, "tabular.layers: expected"),
        ({"tabular": {"layers": -1}}, "tabular.layers: expected a whole number from 0 to 256"),
        ({"inputs": {"t": {"dropout": 1.5}}}, "inputs.t.dropout: expected a share"),
        ({"train": {"seed": 2**40}}, "train.seed"),
        ({"train": {"learning_rate": float("inf")}}, "train.learning_rate"),
        ({"head": {"hidden": 10**12}}, "head.hidden"),
        ({"fusion": {"method": "product", "nonsense": 1}}, "no option 'nonsense'"),
    ],
)
def test_options_have_types_and_bounds(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(PlaitError, match=message):
        fitted(frame(), tmp_path, **options)


def test_features_off_in_yaml(tmp_path: Path) -> None:
    from plait.recipe import Recipe

    (tmp_path / "r.yaml").write_text("task: {target: y}\ntrain: {features: off, baseline: off}\n")
    read = Recipe.read(tmp_path / "r.yaml")
    assert read.train.features == read.train.baseline == "off"


def test_a_writer_leaves_its_predictor_as_it_was(tmp_path: Path) -> None:
    """Predict, evaluate and generate in any order give the same."""
    given = frame().assign(y=lambda f: np.where(f["a"] > 0, "a red bird", "two small fish"))
    predictor = fitted(given, tmp_path, task={"type": "generation"}, train={"epochs": 2}, decoder={"vocab_size": 280})
    first = predictor.evaluate(given), predictor.predict(given).tolist(), len(predictor.targets_.writer.known)
    chosen = Writer(predictor, ["two small fish"], max_length=12)
    assert {text for text, _ in chosen.write({"a": 3.0, "t": "x"})} == {"two small fish"}
    found = next(chosen.write_frames(given))
    assert set(found["y"]) == {"two small fish"}
    assert (predictor.evaluate(given), predictor.predict(given).tolist(), len(predictor.targets_.writer.known)) == first


def test_what_guesses_reach_stands_beside_the_score(tmp_path: Path) -> None:
    given = frame().assign(t=lambda f: [f"{'good' if x > 0 else 'bad'} thing {i}" for i, x in enumerate(f["a"])])
    predictor = fitted(given, tmp_path)
    assert predictor.metrics_["baseline"] == {"majority": pytest.approx(0.5, abs=0.2), "TF-IDF + logistic": 1.0}
    page = (tmp_path / "run" / "report.html").read_text()
    assert "without a model, val accuracy: majority" in page
    assert "baseline" not in fitted(given, tmp_path / "off", train={"baseline": "off"}).metrics_


@pytest.mark.parametrize(("classes", "expected"), [([3, 7], 3), ([False, True], False), (["3", "7"], "3")])
def test_one_row_is_answered_in_the_tables_own_type(classes: list[Any], expected: Any, tmp_path: Path) -> None:
    """`--set` once gave a class that is a whole number back as 3.0, since a row of a frame has one type."""
    frame = pd.DataFrame({"size": [n / 8 for n in range(60)], "kind": [classes[0]] * 30 + [classes[1]] * 30})
    options = {"types": {"size": "number"}, "train": {"epochs": 3}, "output": tmp_path / "run"}
    predictor = Predictor("kind", verbose=False, **options).fit(frame)
    answer = predict_row(tmp_path / "run", ["size=0.5"])["kind"]
    assert answer == expected and type(answer) is type(expected)
    assert predictor.predict(pd.DataFrame({"size": [0.5]})).tolist() == [answer]
