"""Commands of one run: train, evaluate, predict."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import (
    AllowOutside,
    Decimal,
    Delimiter,
    Group,
    Json,
    OnError,
    OnUnusable,
    OnUnusableRow,
    Output,
    Preset,
    Quiet,
    Split,
    TargetNames,
    TaskName,
    Test,
    TimeLimit,
    Types,
    Val,
    names_in,
    print_json,
    recipe_of,
    seconds_in,
    tell_unusable,
    with_preset,
)
from plait.modalities import noises


def train(
    source: Annotated[Path, typer.Argument(help="A table, a recipe.yaml, or with --resume a run folder.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Recipe values, such as train.epochs=3.")] = None,
    target: TargetNames = None,
    task: TaskName = None,
    types: Types = None,
    val: Val = None,
    test: Test = None,
    split: Split = None,
    group: Group = None,
    on_error: OnError = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    preset: Preset = "good",
    time_limit: TimeLimit = None,
    threshold: Annotated[
        str | None,
        typer.Option(help="Of two classes: the probability from which on the second is it, or f1_macro."),
    ] = None,
    output: Output = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run folder.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model of a table: plait train products.csv --target category"""
    from plait.errors import RecipeError
    from plait.recipe import apply_overrides, names_of
    from plait.runs.folder import RunFolder

    overrides = [*(overrides or []), *([f"task.threshold={threshold}"] if threshold else [])]
    if resume:
        if overrides or target:
            raise RecipeError("--resume goes on with the run's own recipe; it takes no overrides or targets")
        recipe, output = RunFolder(source).read_recipe(), source
    else:
        recipe = recipe_of(
            source, overrides, target, types, val, test, split, group, on_error, task, delimiter, decimal
        )
        recipe = with_preset(recipe, preset, source, quiet)
    if time_limit is not None:
        recipe = recipe.with_training(time_limit=seconds_in(time_limit))
    from plait.predictor import Predictor

    typed = () if resume else names_of(apply_overrides({}, overrides or []))
    predictor = Predictor.from_recipe(recipe, output, verbose=not quiet, typed=typed).fit(resume=resume)
    if as_json and predictor.run_ is not None:
        print_json({"run": str(predictor.run_.path), **predictor.metrics_})


def evaluate(
    run: Annotated[Path | None, typer.Argument(help="A run folder.")] = None,
    table: Annotated[Path | None, typer.Argument(help="A table with the target.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Without a run: results of COCO captions or VQA, as JSON.")
    ] = None,
    references: Annotated[Path | None, typer.Option(help="With --predictions: the annotations.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Only this metric; may be repeated.")] = None,
    modalities: Annotated[bool, typer.Option("--modalities", help="What each modality gives.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="With curves as more rows lack a modality.")] = False,
    noise: Annotated[
        str | None,
        typer.Option(
            help=f"With curves as values get worse: all, or some of {', '.join(name for name, *_ in noises())}."
        ),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="With those: score so many rows, drawn at random by the run's seed.")
    ] = None,
    shots: Annotated[
        str | None, typer.Option(help="Of a retrieval run: accuracy of --target by 1,2,4,8 examples a class.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="With --shots: column of the classes.")] = None,
    template: Annotated[
        list[str] | None, typer.Option(help='With --shots: of class names, "a drawing of a {}"; may be repeated.')
    ] = None,
    rerank: Annotated[
        Path | None, typer.Option(help="Of a retrieval run: a matching run that puts the first in order.")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="With --rerank: how many of each query's it looks at; by default 20.")
    ] = None,
    options: Annotated[
        str | None, typer.Option(help="Of a run that writes: rank the texts of this column, a list a row.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="With those: a page with the curves.")] = None,
    allow_outside: AllowOutside = False,
    as_json: Json = False,
) -> None:
    """Score a trained model on a table."""
    from plait.errors import DataError
    from plait.predictor import Predictor

    of_curves = {"--modalities": modalities, "--missing": missing, "--noise": noise}
    curves = next((name for name, value in of_curves.items() if value), "--modalities, --missing or --noise")
    asked: dict[str, Any] = {  # the kinds of evaluation, and what each reads
        "--predictions": (predictions, {"--references"}),
        "--shots": (shots, {"--target", "--template", "-o"}),
        "--options": (options, set()),
        "--rerank": (rerank, {"--top"}),
        curves: (modalities or missing or noise, {*of_curves, "--rows", "-o"}),
    }
    given: dict[str, Any] = {"--references": references, "--metric": metric, **of_curves}
    given |= {"--rows": rows, "--target": target, "--template": template, "--top": top, "-o": output}
    _refuse_unread(asked, given)

    # First what needs no run, then each kind of evaluation by the option that asks for it.
    if predictions is not None or references is not None:
        from plait.evaluation.result_files import score_files
        from plait.metrics.caption import CAPTION_METRICS

        if predictions is None or references is None or run is not None:
            raise DataError("results are scored without a run: plait evaluate --predictions FILE --references FILE")
        scores = score_files(predictions, references)
        _show_scores(scores, as_json, CAPTION_METRICS if "METEOR" in scores else ())
        return
    if run is None or table is None:
        raise DataError("evaluate what? Name a run and a table, or --predictions and --references")
    if shots:
        _evaluate_shots(run, table, target, shots, template, output, as_json, allow_outside)
        return
    load = partial(Predictor.load, allow_outside=allow_outside)
    if options is not None:
        from plait.inference.generate import Writer, evaluate_ranked

        _show_scores(evaluate_ranked(Writer(load(run)), table, options), as_json)
        return
    if rerank is not None:
        from plait.inference.reranking import evaluate_reranked

        _show_scores(evaluate_reranked(load(run), load(rerank), table, top or 20), as_json)
        return
    if modalities or missing or noise:
        from plait.evaluation.modalities import show_modalities
        from plait.report.modalities_report import write_modalities

        report = load(run, verbose=True).modalities(table, missing, names_in(noise), rows)
        if output is not None:
            write_modalities(output, report, run.resolve().name, table.name)
            typer.echo(f"page: {output}", err=True)
        if as_json:
            print_json(report.to_json())
        else:
            show_modalities(report)
        return
    # None of these options: the metrics of the run's own task.
    predictor = load(run, verbose=True)
    _show_scores(predictor.evaluate(table, metric), as_json, metric or predictor.targets_.measures)


def _refuse_unread(kinds: Mapping[str, tuple[Any, set[str]]], given: Mapping[str, Any]) -> None:
    """Refuse an option that the kind of evaluation that was asked for does not read.

    Args:
        kinds: option → whether it asks for that kind, and the options that this kind reads beside it.
        given: option → its value; None, False or empty where it was not typed.
    """
    from plait.errors import RecipeError

    chosen = [kind for kind, (asked, _) in kinds.items() if asked is not None and asked is not False]
    if len(chosen) > 1:
        raise RecipeError(f"{' and '.join(chosen)} are different evaluations; name one of them")
    reads = kinds[chosen[0]][1] if chosen else {"--metric"}
    for option, value in given.items():
        if value is not None and value is not False and option not in {*reads, *chosen}:
            readers = [kind for kind, (_, options) in kinds.items() if option in options]
            belongs = f"belongs to {' or '.join(readers)}" if readers else f"is not read with {chosen[0]}"
            raise RecipeError(f"{option} {belongs}; leave it out")


def _show_scores(scores: Mapping[str, float], as_json: bool, expected: Iterable[str] = ()) -> None:
    """Print scores, and on stderr which of those expected these rows do not define."""
    from plait import console
    from plait.metrics.caption import NO_CIDER

    why = {"CIDEr": f" ({NO_CIDER})"}
    missing = [f"{name}{why.get(name, '')}" for name in expected if name not in scores]
    if missing:
        typer.echo(f"left out, not defined on these rows: {', '.join(missing)}", err=True)
    if as_json:
        print_json(dict(scores))
    else:
        console.show(console.table("", ["metric", "value"], scores.items(), ["value"]))


def _evaluate_shots(
    run: Path,
    table: Path,
    target: str | None,
    shots: str,
    templates: list[str] | None,
    output: Path | None,
    as_json: bool,
    allow_outside: bool,
) -> None:
    from plait.errors import RecipeError
    from plait.inference.shots import evaluate_shots, show_shots, write_shots

    counts = names_in(shots)
    if target is None or not counts or not all(count.isdigit() and int(count) for count in counts):
        raise RecipeError("--shots: expected numbers such as 1,2,4,8, and the classes' column: --target kind")
    numbers = [int(count) for count in counts]
    report = evaluate_shots(str(run), table, target, numbers, templates or ["{}"], allow_outside=allow_outside)
    if output is not None:
        write_shots(output, report, run.name, table.name)
        typer.echo(f"page: {output}", err=True)
    if as_json:
        print_json(report.to_json())
    else:
        show_shots(report)


def predict(
    run: Annotated[Path, typer.Argument(help="A run folder; with --labels also hf:NAME or open_clip:NAME.")],
    given: Annotated[list[str] | None, typer.Argument(help="A table; with --set COLUMN=VALUE pairs.")] = None,
    as_row: Annotated[bool, typer.Option("--set", help="Predict one row, given as COLUMN=VALUE pairs.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .parquet, .csv or .jsonl file; else CSV on stdout.")
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Column to copy beside the answers; may be repeated.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="Of a retrieval run: sort images into these classes: cat,dog")
    ] = None,
    template: Annotated[
        list[str] | None, typer.Option(help='With --labels: "a drawing of a {}"; several are averaged.')
    ] = None,
    on_error: OnUnusableRow = OnUnusable.refuse,
    delimiter: Delimiter = None,
    allow_outside: AllowOutside = False,
    as_json: Json = False,
) -> None:
    """Answer each row of a table, or one row: plait predict RUN --set title="a red bird" photo=bird.jpg"""
    from plait.console import printable
    from plait.errors import DataError
    from plait.inference.predict import predict_labels, predict_row, predict_table

    # `--set` takes the arguments as one row, else they name a table.
    if as_row:
        answer = predict_row(run, given or [], allow_outside)
        if as_json:
            print_json(answer)
        else:
            for name, value in answer.items():
                typer.echo(printable(f"{name}\t{value}"))
        return
    if not given or len(given) > 1:
        raise DataError("which rows? Name one table, or one row with --set COLUMN=VALUE")
    if labels is not None:  # classes that are named here, not learned
        names, templates = names_in(labels), template or ["{}"]
        count = predict_labels(run, Path(given[0]), names, templates, output, keep or [], as_json, allow_outside)
        if output is not None:
            typer.echo(f"{count:,} rows: {output}", err=True)
        return
    # Cells that can't be used are gathered while the answers are written, and named afterwards.
    problems: list[str] = []
    handling: tuple[Any, ...] = (problems, on_error.value, delimiter, allow_outside)
    count = predict_table(run, Path(given[0]), output, keep or [], as_json, *handling)
    tell_unusable(problems, on_error)
    if output is not None:
        typer.echo(f"{count:,} rows: {output}", err=True)
