"""Shoulder exercises as a smartwatch saw them (Burns et al., 1802.01489): two sensors, ten people."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from plait.datasets.packages import pypi_package, write_table
from plait.errors import DataError
from plait.files.atomic import replacing
from plait.files.reading import open_plain

RATE = 50  # Hz
SENSORS = {"accelerometer": slice(0, 3), "gyroscope": slice(3, 6)}
EXERCISES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "trapezius extension",
    "ROW": "upright row",
}


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays of numbers and nothing else: what a file of another author names is not run."""

    KNOWN = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.KNOWN:
            raise DataError(f"watch_dataset.npy: names {module}.{name}, which is no array; it is not read")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def write_watch(folder: Path, data: Path | None = None) -> list[Path]:
    """`watch.csv`: accelerometer and gyroscope (a file each, three channels at 50 Hz), side, subject, exercise.

    Args:
        folder: where to.
        data: `watch_dataset.npy`; None for that of seglearn's wheel.

    Raises:
        DataError: the file holds something else than arrays.
    """
    if data is None:
        data = pypi_package("seglearn", "1.2.5", "seglearn") / "data" / "watch_dataset.npy"
    with open_plain(data) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise DataError(f"{data.name}: an array file of version {version}, expected (1, 0)")
        np.lib.format.read_array_header_1_0(file)
        try:
            content = _ArraysOnly(file, encoding="latin1").load().item()
        except (pickle.UnpicklingError, EOFError, AttributeError, ValueError) as error:
            raise DataError(f"{data.name}: the file is damaged ({error})") from error
    rows = []
    for number, (steps, exercise, subject, side) in enumerate(
        zip(content["X"], content["y"], content["subject"], content["side"], strict=True)
    ):
        names = []
        for sensor, channels in SENSORS.items():
            place = Path("series", f"{number:03}_{sensor}.npz")
            with replacing(folder / place, tidy=False) as beside, beside.open("wb") as out:
                np.savez(out, values=steps[:, channels].astype(np.float32), times=np.arange(len(steps)) / RATE)
            names.append(place.as_posix())
        kind = EXERCISES[content["y_labels"][int(exercise)]]
        rows.append((*names, "right" if side else "left", int(subject), kind))
    return [write_table(folder / "watch.csv", rows, [*SENSORS, "side", "subject", "exercise"])]
