"""Memory of training on a Parquet of image paths, as the table grows a hundredfold."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.measure import Row, row

PICTURES, LENGTHS = 500, (10_000, 1_000_000)

CHILD = """
import json, resource, sys
from plait import Predictor
from plait.training import loop

steps = int(sys.argv[3])
class Enough(Exception): pass
def batches(source, plan, workers, original=loop.load):
    for number, batch in enumerate(original(source, plan, workers)):
        if number == steps: raise Enough
        yield batch
loop.load = batches
predictor = Predictor("label", output=sys.argv[2], verbose=False, inputs={"photo": {"modality": "image", "size": 32}},
                      data={"val": 0.001}, train={"device": "cpu", "precision": "float32", "batch_by": "none"})
try:
    predictor.fit(sys.argv[1])
except Enough:
    pass
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
"""


def make_pictures(folder: Path) -> None:
    """A few hundred small images."""
    (folder / "pictures").mkdir()
    random = np.random.default_rng(0)
    for i in range(PICTURES):
        pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"a-long-enough-name-{i:06d}.png")


def make_table(folder: Path, rows: int) -> Path:
    """A Parquet of `photo,label` that names the same few hundred files again and again."""
    path = folder / f"{rows}.parquet"
    random = np.random.default_rng(0)
    schema = pa.schema([("photo", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, 100_000):
            picked = random.integers(0, PICTURES, min(100_000, rows - start))
            columns = {
                "photo": [f"pictures/a-long-enough-name-{i:06d}.png" for i in picked],
                "label": [f"c{i % 5}" for i in picked],
            }
            writer.write_table(pa.table(columns, schema))
    return path


def peak(table: Path, folder: Path, steps: int = 200) -> int:
    """Bytes of the largest resident set while reading, checking and training `steps` batches."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, table, folder / table.stem, str(steps)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(json.loads(done.stdout.strip().splitlines()[-1]))


def run() -> list[Row]:
    """Peak memory at each length, and the growth a row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pictures(folder)
        peaks = [peak(make_table(folder, rows), folder) for rows in LENGTHS]
    small, large = peaks
    growth = (large - small) / (LENGTHS[1] - LENGTHS[0])
    return [
        row(f"memory: training on {LENGTHS[0]:,} rows", small / 1e6, "MB", f"{LENGTHS[1]:,} rows", large / small),
        row(f"memory: training on {LENGTHS[1]:,} rows", large / 1e6, "MB", f"{LENGTHS[0]:,} rows", small / large),
        row("memory: growth a row", growth, "bytes", "", None),
    ]
