"""The commands. Each is a thin call of one function; heavy imports wait until a command runs."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from plait.errors import PlaitError

app = typer.Typer(
    name="plait",
    help="Train, evaluate and use one model of many modalities: text, pictures, numbers and categories.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class OnUnusable(StrEnum):
    """What predicting does with a cell that can't be used."""

    refuse = "refuse"
    missing = "missing"


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the run.")]
TargetNames = Annotated[list[str] | None, typer.Option("--target", "-t", help="Column to predict; may be repeated.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="COLUMN=TYPE, over what plait sees; may be repeated.")]
Val = Annotated[str | None, typer.Option(help="Share of the rows, or a file, to validate on.")]
Test = Annotated[str | None, typer.Option(help="Share of the rows, or a file, to test on.")]
Split = Annotated[str | None, typer.Option(help="Column that says train, val or test.")]
Group = Annotated[str | None, typer.Option(help="Column whose equal cells never sit on both sides.")]
OnError = Annotated[str | None, typer.Option(help="refuse or skip rows with cells that can't be used.")]


@app.command()
def train(
    source: Annotated[Path, typer.Argument(help="A table, a recipe.yaml, or with --resume a run folder.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Recipe values, such as train.epochs=3.")] = None,
    target: TargetNames = None,
    types: Types = None,
    val: Val = None,
    test: Test = None,
    split: Split = None,
    group: Group = None,
    on_error: OnError = None,
    output: Output = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run folder.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model of a table: plait train products.csv --target category"""
    from plait.errors import RecipeError
    from plait.run_folder import RunFolder

    if resume:
        if overrides or target:
            raise RecipeError("--resume goes on with the run's own recipe; it takes no overrides or targets")
        recipe, output = RunFolder(source).read_recipe(), source
    else:
        recipe = _recipe(source, overrides, target, types, val, test, split, group, on_error)
    from plait.predictor import Predictor

    predictor = Predictor.from_recipe(recipe, output, verbose=not quiet).fit(resume=resume)
    if as_json and predictor.run_ is not None:
        _print_json({"run": str(predictor.run_.path), **predictor.metrics_})


@app.command()
def compare(
    source: Annotated[Path, typer.Argument(help="A table or a recipe.yaml.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Recipe values, such as train.epochs=3.")] = None,
    target: TargetNames = None,
    types: Types = None,
    fusions: Annotated[str | None, typer.Option(help="Only these: concat,low_rank,boosted.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each fold.")] = 1,
    rows: Annotated[int | None, typer.Option(min=10, help="Compare on so many rows, drawn at random.")] = None,
    group: Group = None,
    on_error: OnError = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder; the same one goes on.")] = None,
    save_best: Annotated[bool, typer.Option("--save-best", help="Leave a run folder of the winner.")] = False,
    processes: Annotated[int | None, typer.Option(min=1, help="That train at once; by default one a core.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Does the second modality help, and which fusion should it be? plait compare products.csv --target category"""
    from plait.compare import compare, prepare_recipe

    recipe = _recipe(source, overrides, target, types, None, None, None, group, on_error)
    recipe, said = prepare_recipe(recipe)
    if not quiet:
        for line in said:
            typer.echo(line, err=True)
    chosen = _names(fusions) or None
    found = compare(
        recipe,
        output=output,
        fusions=chosen,
        folds=folds,
        seeds=seeds,
        rows=rows,
        save_best=save_best,
        processes=processes,
        verbose=not quiet,
    )
    if as_json:
        _print_json(found.to_json())


@app.command()
def check(
    source: Annotated[Path, typer.Argument(help="A table or a recipe.yaml.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Recipe values.")] = None,
    target: TargetNames = None,
    types: Types = None,
    val: Val = None,
    test: Test = None,
    split: Split = None,
    group: Group = None,
    as_json: Json = False,
) -> None:
    """Look for what would go wrong in training; exit code 1 where something would."""
    from plait.checking import check_recipe, show_health

    health = check_recipe(_recipe(source, overrides, target, types, val, test, split, group, None))
    if as_json:
        _print_json(health.to_json())
    else:
        show_health(health)
    if not health.ok:
        raise typer.Exit(1)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    table: Annotated[Path, typer.Argument(help="A table with the target.")],
    metric: Annotated[list[str] | None, typer.Option(help="Only this metric; may be repeated.")] = None,
    modalities: Annotated[bool, typer.Option("--modalities", help="What each modality gives.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="With curves as more rows lack a modality.")] = False,
    noise: Annotated[
        str | None,
        typer.Option(help="With curves as values get worse: all, or blur,jpeg,typos,word_drop,number_noise."),
    ] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="With those: score so many rows, evenly spaced.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="With those: a page with the curves.")] = None,
    as_json: Json = False,
) -> None:
    """Score a trained model on a table."""
    from plait import console
    from plait.errors import RecipeError
    from plait.predictor import Predictor

    if modalities or missing or noise:
        from plait.ablation import show_modalities
        from plait.report.modalities_report import write_modalities

        report = Predictor.load(run, verbose=True).modalities(table, missing, _names(noise), rows)
        if output is not None:
            write_modalities(output, report, run.resolve().name, table.name)
            typer.echo(f"page: {output}", err=True)
        if as_json:
            _print_json(report.to_json())
        else:
            show_modalities(report)
        return
    if output is not None or rows is not None:
        raise RecipeError("-o and --rows belong to --modalities, --missing or --noise")
    scores = Predictor.load(run, verbose=True).evaluate(table, metric)
    if as_json:
        _print_json(scores)
    else:
        console.show(console.table("", ["metric", "value"], scores.items(), ["value"]))


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    given: Annotated[list[str] | None, typer.Argument(help="A table; with --set COLUMN=VALUE pairs.")] = None,
    as_row: Annotated[bool, typer.Option("--set", help="Predict one row, given as COLUMN=VALUE pairs.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .parquet, .csv or .jsonl file; else CSV on stdout.")
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Column to copy beside the answers; may be repeated.")] = None,
    on_error: Annotated[
        OnUnusable, typer.Option(help="Refuse cells that can't be used, or count them as missing and name them.")
    ] = OnUnusable.refuse,
    as_json: Json = False,
) -> None:
    """Answer each row of a table, or one row: plait predict RUN --set title="a red bird" photo=bird.jpg"""
    from plait.errors import DataError
    from plait.predicting import predict_row, predict_table

    if as_row:
        answer = predict_row(run, given or [])
        if as_json:
            _print_json(answer)
        else:
            for name, value in answer.items():
                typer.echo(f"{name}\t{value}")
        return
    if not given or len(given) > 1:
        raise DataError("which rows? Name one table, or one row with --set COLUMN=VALUE")
    problems: list[str] | None = [] if on_error is OnUnusable.missing else None
    count = predict_table(run, Path(given[0]), output, keep or [], as_json, problems)
    for problem in problems or ():
        typer.echo(f"counted as missing: {problem}", err=True)
    if output is not None:
        typer.echo(f"{count:,} rows: {output}", err=True)


features = typer.Typer(help="Stored outputs of frozen encoders: list, verify, prune.", no_args_is_help=True)
app.add_typer(features, name="features")


@features.command("list")
def features_list(as_json: Json = False) -> None:
    """Which encoders' outputs are stored, how many rows, when they were last used."""
    from plait.storage import describe_stores, show_stores

    found = describe_stores()
    if as_json:
        _print_json(found)
    else:
        show_stores(found)


@features.command("verify")
def features_verify(as_json: Json = False) -> None:
    """Read every stored row and check it; exit code 1 where one is damaged (it is computed again when needed)."""
    from plait.storage import verify_stores

    damaged = verify_stores()
    if as_json:
        _print_json(damaged)
    else:
        for name, count in damaged.items():
            typer.echo(f"{name}: {count:,} damaged rows" if count else f"{name}: sound")
    if any(damaged.values()):
        raise typer.Exit(1)


@features.command("prune")
def features_prune(
    name: Annotated[str | None, typer.Argument(help="One store, as the list names it; else all that are old.")] = None,
    days: Annotated[float, typer.Option(min=0, help="Remove what was not used for so many days.")] = 90,
    as_json: Json = False,
) -> None:
    """Remove stored features that nobody used for a while, and damaged stores."""
    from plait.storage import prune_stores

    removed = prune_stores(name, days)
    if as_json:
        _print_json(removed)
    else:
        typer.echo(f"removed {len(removed)} stores, {sum(row['bytes'] for row in removed) / 1e6:,.1f} MB", err=True)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Versions, devices, number formats, extras, network."""
    from plait import console
    from plait.doctor import examine

    found = examine()
    if as_json:
        _print_json(found)
        return
    rows = [(key, _flat(value)) for key, value in found.items()]
    console.show(console.table("", ["", "here"], rows))


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables, runs and report.")] = Path("demo"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the questions.")] = 6,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Answer questions about pictures: from the question, from the picture, from both."""
    from plait.demo import run_demo

    accuracy = run_demo(output, epochs, seed, verbose=not quiet)
    if as_json:
        _print_json(accuracy)


def _recipe(
    source: Path,
    overrides: list[str] | None,
    targets: list[str] | None,
    types: list[str] | None,
    val: str | None,
    test: str | None,
    split: str | None,
    group: str | None,
    on_error: str | None,
) -> Any:
    """A recipe from a file or a table, with what the command line says on top."""
    from plait.recipe import Recipe, apply_overrides

    values: dict[str, Any] = {}
    is_recipe = source.suffix.lower() in (".yaml", ".yml")
    said = {"val": _share(val), "test": _share(test), "split": split, "group": group, "on_error": on_error}
    data: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    if types:
        data["types"] = dict(_pair(text, "--type") for text in types)
    if not is_recipe:
        data["train"] = str(source)
    if targets:
        values["task"] = [{"target": name} for name in targets]
    if data:
        values["data"] = data
    if is_recipe:
        base = Recipe.read(source).model_dump(mode="json", exclude_defaults=True)
        base.pop("resolved", None)
        values = {**base, **values, "data": {**base.get("data", {}), **data}}
    return Recipe.parse(apply_overrides(values, overrides or []), str(source))


def _names(text: str | None) -> list[str]:
    """`a, b` → both names."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _share(text: str | None) -> float | str | None:
    """`0.1` is a share, anything else a file."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _pair(text: str, option: str) -> tuple[str, str]:
    from plait.errors import RecipeError

    name, equals, value = text.rpartition("=")
    if not equals or not name:
        raise RecipeError(f"{option} {text}: expected COLUMN=VALUE")
    return name, value


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {'yes' if item is True else 'no' if item is False else item}" for key, item in value.items()
        )
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=float))


def _interrupted() -> NoReturn:
    sys.stderr.write("plait: interrupted before there was anything to save\n")
    sys.exit(130)


def main() -> NoReturn:
    """Run a command; a user's mistake is one line on stderr and exit code 2."""
    try:
        app()
    except PlaitError as error:
        kind = type(error).__name__
        sys.stderr.write(f"plait: {' '.join(str(error).split())}\n")
        sys.exit(130 if kind == "Interrupted" else 2)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as stop:
        if stop.code == 130:  # typer turned Ctrl-C into an exit without a word
            _interrupted()
        raise
    sys.exit(0)
