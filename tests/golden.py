"""What plait gives for a dozen tables, written as plain files: a change that moves code must leave all of them as they were.

    git worktree add /tmp/before COMMIT
    PYTHONPATH=/tmp/before/src python tests/golden.py /tmp/golden-before
    python tests/golden.py /tmp/golden-after && diff -r /tmp/golden-before /tmp/golden-after

Both on one machine: weights are equal bit by bit for one processor and one number of threads. Times, versions and paths
are left out. Not a test by itself: it knows no right answers, only yesterday's.
"""

import argparse
import hashlib
import io
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "COLUMNS": "160", "NO_COLOR": "1"}  # before torch is imported

import numpy as np
import pandas as pd
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (40, 60, 230)}
QUICK = "train.epochs=4 train.batch_size=16 train.learning_rate=0.01 train.device=cpu train.precision=float32 train.workers=0 train.baseline=off"
CNN = "inputs.photo.encoder=scratch:cnn inputs.photo.size=32"


def png(colour: str, seed: int) -> bytes:
    """A noisy image of one colour."""
    noise = np.random.default_rng(seed).integers(0, 25, (24, 32, 3))
    stream = io.BytesIO()
    Image.fromarray(np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)).save(stream, "png")
    return stream.getvalue()


def colours(rows: int = 48) -> pd.DataFrame:
    """Rows of all that a table holds: ids, files, text, numbers, dates, categories, gaps."""
    random = np.random.default_rng(0)
    names = list(COLOURS)
    shown, named = random.choice(names, rows), random.choice(names, rows)
    Path("photos").mkdir(exist_ok=True)
    for row, colour in enumerate(shown):
        Path("photos", f"{row}.png").write_bytes(png(colour, row))
    price = [None if row % 11 == 5 else round(float(random.normal(10, 3)), 2) for row in range(rows)]
    return pd.DataFrame(
        {
            "id": [f"item-{row:04d}" for row in range(rows)],
            "photo": [None if row % 13 == 7 else f"photos/{row}.png" for row in range(rows)],
            "title": [f"this is a picture of a {name} thing number {row % 7}" for row, name in enumerate(named)],
            "price": price,
            "shade": random.choice(["dark", "light", "pale"], rows),
            "sold": [f"2026-{1 + row % 12:02d}-{1 + row % 27:02d}" for row in range(rows)],
            "shop": [row % 4 for row in range(rows)],
            "constant": "x",
            "answer": ["yes" if a == b else "no" for a, b in zip(shown, named, strict=True)],
            "shown": shown,
        }
    )


def shop() -> list[str]:
    colours().to_csv("t.csv", index=False)
    fusions = "concat,low_rank,late_stacking,late_mean,gated --processes 1 --json --quiet inputs.title.encoder=scratch:textcnn"
    return [
        "check t.csv -t answer --json",
        f"train t.csv -t answer -o run --test 0.2 --type shown=ignore {CNN} {QUICK}",
        "predict run t.csv -o answers.parquet",
        "evaluate run t.csv --modalities --noise all",
        f"compare t.csv -t answer --type shown=ignore -o against --folds 2 --fusions {fusions} {CNN} {QUICK}",
    ]


def numbers() -> list[str]:
    table = colours()
    table["weight"] = np.round(1e6 + 1e3 * table["shop"] + np.arange(len(table)), 1)
    table["boxed"] = pd.array([None if row % 9 == 2 else row % 5 for row in range(len(table))], dtype="Int64")
    table["new"] = table["shop"] % 2 == 0
    table["shade"] = table["shade"].astype("category")
    table.drop(columns=["answer"]).to_parquet("t.parquet")
    options = f"--type photo=ignore --type shown=ignore --type title=ignore {QUICK}"
    return [
        "check t.parquet -t weight --json",
        f"train t.parquet -t weight -o run {options}",
        "train t.parquet -t weight -o trees fusion.method=boosted --type photo=ignore --type shown=ignore --type title=ignore train.baseline=off",
        "predict run t.parquet -o answers.csv",
        "predict trees t.parquet -o trees.csv",
        f"compare t.parquet -t weight -o against --folds 2 --processes 1 --json --quiet --fusions concat,boosted {options}",
    ]


def european() -> list[str]:
    table = colours()
    table["price"] = [None if pd.isna(v) else f"{v:.2f}".replace(".", ",") + " €" for v in table["price"]]
    table["sold"] = [f"{1 + row % 27}/{1 + row % 12}/2026" for row in range(len(table))]
    table["code"] = [f"{row % 6:02d}" for row in range(len(table))]
    table["answer"] = table["answer"] == "yes"
    table.drop(columns=["photo", "shown"]).to_csv("t.csv", index=False, sep=";")
    return [
        "check t.csv -t answer --json",
        f"train t.csv -t answer -o run fusion.method=tensor fusion.dim=16 {QUICK}",
        "predict run t.csv -o answers.csv",
        "predict run --set title=red",
    ]


def gallery() -> list[str]:
    table = colours()
    table["photo"] = [f"photos/{row}.png;photos/{(row + 5) % len(table)}.png" for row in range(len(table))]
    table["tags"] = [";".join(sorted({a, b})) for a, b in zip(table["shown"], table["shade"], strict=True)]
    table[["photo", "title", "price", "tags"]].to_csv("t.tsv", sep="\t", index=False)
    return [
        "check t.tsv -t tags --json",
        f"train t.tsv -t tags -o run fusion.method=self_attention {CNN} {QUICK}",
        "predict run t.tsv -o answers.parquet",
    ]


def several() -> list[str]:
    colours().to_json("t.jsonl", orient="records", lines=True)
    return [
        "check t.jsonl -t answer -t price --json",
        f"train t.jsonl -t answer -t price -o run --group shop fusion.method=late_weighted {CNN} {QUICK}",
        "predict run t.jsonl -o answers.parquet",
        "evaluate run t.jsonl --missing",
    ]


def captions() -> list[str]:
    table = colours()
    table["photo"] = [f"photos/{row}.png" for row in range(len(table))]
    table[["photo", "title", "shop"]].to_csv("t.csv", index=False)
    return [
        "check t.csv --task retrieval --json",
        f"train t.csv --task retrieval -o run --test 0.25 inputs.title.encoder=scratch:transformer {CNN} {QUICK}",
        "evaluate run t.csv",
        "index run t.csv -o i.lance",
        "search i.lance 'a red thing' -k 3 --json",
        "predict run t.csv --labels red,green,blue --template 'a {} thing' -o kinds.csv",
        f"train t.csv --task matching -o pairs --test 0.25 inputs.title.encoder=scratch:textcnn {CNN} {QUICK}",
        "evaluate run t.csv --rerank pairs",
    ]


def matching() -> list[str]:
    table = colours()
    table["label"] = np.where(table["answer"] == "yes", 1, -1)
    table[["photo", "title", "label"]].to_csv("t.csv", index=False)
    return [
        "check t.csv --task matching -t label --json",
        f"train t.csv --task matching -t label -o run fusion.method=product {CNN} {QUICK}",
        "predict run t.csv -o answers.csv",
    ]


def questions() -> list[str]:
    table = colours()
    table["photo"] = [f"photos/{row}.png" for row in range(len(table))]
    table["answers"] = [f"{a} thing;{a}" for a in table["shown"]]
    table["question"] = [f"which colour has thing {row % 5}?" for row in range(len(table))]
    table[["photo", "question", "answers"]].to_csv("t.csv", index=False)
    more = f"inputs.question.encoder=scratch:transformer {CNN} decoder.dim=32 {QUICK}"
    return [
        "check t.csv --task generation -t answers --json",
        f"train t.csv --task generation -t answers -o run {more}",
        f"train t.csv --task generation -t answers -o rnn decoder.method=rnn {more}",
        "generate run --table t.csv -o out.csv",
        "evaluate rnn t.csv",
    ]


def conversations() -> list[str]:
    table = colours()
    records = [
        {
            "id": str(row),
            "image": f"photos/{row}.png",
            "conversations": [
                {"from": "human", "value": f"<image>\nwhat is shown in {row % 3}?"},
                {"from": "gpt", "value": f"a {name} thing"},
            ],
        }
        for row, name in enumerate(table["shown"])
    ]
    Path("t.json").write_text(json.dumps(records))
    return [
        "check t.json --json",
        f"train t.json --task generation -t answer -o run decoder.dim=32 {QUICK}",
        "generate run --table t.json -o out.csv",
    ]


def folders() -> list[str]:
    for row in range(30):
        colour = list(COLOURS)[row % 3]
        place = Path("pictures", colour, f"{row}.png")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(colour, row) if row != 8 else b"\x89PNG broken")
    Path("pictures", ".ipynb_checkpoints").mkdir()
    Path("pictures", ".ipynb_checkpoints", "1.png").write_bytes(png("red", 1))
    Path("pictures", "red", "._0.png").write_bytes(b"Mac")
    return [
        "check pictures -t label --json",
        f"train pictures -t label -o refused {QUICK}",
        f"train pictures -t label -o run --on-error skip inputs.image.encoder=scratch:cnn inputs.image.size=32 {QUICK}",
        "predict run pictures --on-error missing -o answers.csv",
    ]


def cells() -> list[str]:
    table = colours()
    table["photo"] = [{"bytes": png(name, row), "path": f"{row}.png"} for row, name in enumerate(table["shown"])]
    table["shop"] = table["shop"].astype(float)
    table.loc[3, "shop"] = None
    table[["photo", "title", "price", "shop"]].to_parquet("t.parquet")
    return [
        "check t.parquet -t shop --type shop=category --json",
        f"train t.parquet -t shop -o run --on-error skip fusion.method=film {CNN} {QUICK}",
        "predict run t.parquet -o answers.parquet",
    ]


def frozen() -> list[str]:
    colours().drop(columns=["shown"]).to_csv("t.csv", index=False)
    packaged = "inputs.photo.encoder=packaged:efficientnet-lite0 inputs.title.encoder=packaged:minilm"
    kept = "inputs.photo.frozen=true inputs.title.frozen=true train.features=float32"
    return [f"train t.csv -t answer -o run {packaged} {kept} {QUICK} train.epochs=1", "features verify"]


TABLES: dict[str, Callable[[], list[str]]] = {
    make.__name__: make
    for make in (
        shop, numbers, european, gallery, several, captions, matching, questions, conversations, folders, cells, frozen
    )
}  # fmt: skip
# Of the frozen encoders the keys are held, not the vectors: which engine is fastest is for the clock to say.
TIMED = {"frozen": ("metrics.json", "predictions.parquet", "model.safetensors", "report.html", "log.jsonl")}


def record(name: str, folder: Path) -> None:
    """Run a table's commands and write what they said and left."""
    from typer.testing import CliRunner

    from plait.cli import app

    start = Path.cwd()
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        os.environ["PLAIT_CACHE"] = str(Path(work, "cache"))
        try:
            said = []
            for command in TABLES[name]():
                done = CliRunner().invoke(app, shlex.split(command))
                broken = "" if isinstance(done.exception, (SystemExit, type(None))) else repr(done.exception)
                said.append(
                    f"$ plait {command}\n{_timeless(done.output, work)}exit code {done.exit_code} {_timeless(broken, work)}\n"
                )
            (folder / name).mkdir(parents=True)
            (folder / name / "said.txt").write_text("\n".join(said))
            for path in sorted(Path(work).rglob("*")):
                if path.is_file() and "photos" not in path.parts and "pictures" not in path.parts:
                    relative = path.relative_to(work)
                    if relative.name not in TIMED.get(name, ()):
                        text = _plain(path, work)
                        if text is not None:
                            target = folder / name / f"{'+'.join(relative.parts)}.txt"
                            target.write_text(text)
        finally:
            os.chdir(start)


def _plain(path: Path, work: str) -> str | None:
    """A file as text that is the same whenever it was written; None for what is not looked at."""
    if (".lance" in str(path) and path.name != "catalogue.json") or path.parts[-2:] == ("against", "report.html"):
        return None
    match path.suffix:
        case ".parquet":
            return pd.read_parquet(path).to_csv(index=False, float_format="%.17g")
        case ".safetensors":
            from safetensors.numpy import load_file

            tensors = {key: tensor for key, tensor in load_file(path).items() if not key.startswith("random")}
            return "".join(
                f"{k} {v.shape} {hashlib.sha256(v.tobytes()).hexdigest()}\n" for k, v in sorted(tensors.items())
            )
        case ".bin" if path.name == "index.bin":
            return "".join(f"{row.hex()}\n" for row in np.fromfile(path, "S16,S16")["f0"].tolist())
        case ".csv" if "latency_ms" in path.read_text(encoding="utf-8").partition("\n")[0]:
            return pd.read_csv(path).drop(columns=["train_seconds", "peak_bytes", "latency_ms"]).to_csv(index=False)
        case ".csv" | ".json" | ".jsonl" | ".yaml" | ".html":
            return _timeless(path.read_text(encoding="utf-8"), work)
    return None


def _timeless(text: str, work: str) -> str:
    """Without seconds, versions, paths and drawn plots."""
    text = text.replace(work, "WORK").replace(work.replace("/", "\\/"), "WORK")
    text = re.sub(r'"data:image/[^"]*"', '"IMAGE"', text)
    text = re.sub(r"<svg.*?</svg>", "<svg/>", text, flags=re.DOTALL)
    text = re.sub(r'("?\w*(?:seconds|_ms|written_at|created|time|peak_bytes)"?: )[-\d.e+"TZ:]+', r"\1TIME", text)
    return re.sub(r"\b[\d.,]+ ?(?:ms|s|min|MB|rows/s)\b|x[\d.]+ eager", "TIME", text)


def main() -> None:
    """Record all tables, or the named ones."""
    parser = argparse.ArgumentParser(description="Record what plait gives for a dozen tables.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES])
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    for name in chosen.tables or TABLES:
        record(name, folder)
        sys.stderr.write(f"{name}\n")


if __name__ == "__main__":
    main()
