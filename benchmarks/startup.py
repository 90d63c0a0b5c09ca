"""CPU seconds of a start: `import plait`, `plait --help`, and peers that are installed."""

import importlib.util
import resource
import statistics
import subprocess
import sys

from benchmarks.measure import Row, row

ROUNDS = 5


def cpu_seconds(arguments: list[str]) -> float:
    """Median user + system seconds of a child process, after one that warms the disk."""
    times = []
    for _ in range(ROUNDS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times[1:])


def run() -> list[Row]:
    """CPU seconds of each."""
    torch_seconds = cpu_seconds(["-c", "import torch"])
    contestants = {
        "import plait": ["-c", "import plait"],
        "plait --help": ["-m", "plait", "--help"],
        "from plait import Predictor": ["-c", "from plait import Predictor"],
    }
    for peer in ("transformers", "timm", "lightning"):
        if importlib.util.find_spec(peer) is not None:
            statement = "from transformers import Trainer" if peer == "transformers" else f"import {peer}"
            contestants[statement] = ["-c", statement]
    rows = []
    for name, arguments in contestants.items():
        seconds = cpu_seconds(arguments)
        rows.append(row(f"start: {name}", seconds, "CPU s", "import torch", torch_seconds / seconds))
    return rows
