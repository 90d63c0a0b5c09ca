"""`python -m benchmarks [NAME …]`: run, print a table, write `results.json`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from plait.console import table

NAMES = ("loop", "engine", "features", "compare", "pictures", "search", "generation", "captions", "remedies", "startup")
NAMES += ("memory", "heads", "recordings")
ON_CUDA = ("gpu",)  # run by default where there is such a device
RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Run the named benchmarks (all by default); a partial run replaces only its own rows."""
    chosen = sys.argv[1:] or [*NAMES, *(ON_CUDA if torch.cuda.is_available() else ())]
    known = NAMES + ON_CUDA
    for name in chosen:
        if name not in known:
            sys.exit(f"unknown benchmark {name!r}; known: {', '.join(known)}")
    rows = json.loads(RESULTS.read_text()) if sys.argv[1:] and RESULTS.exists() else []
    for name in chosen:
        found = _apart(name)
        prefixes = {entry["name"].split(":")[0] for entry in found}
        rows = [entry for entry in rows if entry["name"].split(":")[0] not in prefixes] + found
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")  # each as it comes: all of them take half an hour
    columns = ["name", "value", "unit", "against", "ratio"]
    cells = [[f"{r['value']:,.6g}" if c == "value" else "" if r[c] is None else r[c] for c in columns] for r in rows]
    Console(width=140).print(table("", columns, cells, ["value", "ratio"]))


def _apart(name: str) -> list[dict[str, Any]]:
    """One benchmark in a process of its own: what a runtime leaves behind is not the next one's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        code = "import importlib, json, pathlib, sys\n"
        code += "rows = importlib.import_module('benchmarks.' + sys.argv[1]).run()\n"
        code += "pathlib.Path(sys.argv[2]).write_text(json.dumps(rows))"
        subprocess.run([sys.executable, "-c", code, name, str(path)], check=True)
        found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


if __name__ == "__main__":
    main()
