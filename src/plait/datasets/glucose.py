"""A glucose monitor of half a year: two series, and what the first says an hour later."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from plait.data.joining import join_series
from plait.data.table import Table
from plait.datasets.packages import pypi_package
from plait.errors import DataError
from plait.files.atomic import replacing

AHEAD = pd.Timedelta(minutes=60)
EVERY = pd.Timedelta(minutes=30)  # from a row to the next
PAST = 4 * 3600.0  # seconds of a row's series
PARTS = {"train": 0.6, "val": 0.1, "test": 0.3}  # of the time, in this order
COLUMNS = ["isig", "datetime", "glucose"]


def write_glucose(folder: Path, data: Path | None = None) -> list[Path]:
    """`glucose.parquet`: two series of the last four hours (`glucose`, mg/dl, and the sensor's `current`), the hour of
    the day, and the glucose of 60 minutes later; `split` cuts the half year in time, 60:10:30.

    A row stands at every reading that is the first of its half hour and has a reading an hour later. The hours
    before a part of the split are in its series, as they would be at that time.

    Args:
        folder: where to.
        data: `CGM.csv.gz`; None for that of bokeh-sampledata's wheel.

    Raises:
        DataError: the file holds other columns.
    """
    if data is None:
        data = pypi_package("bokeh-sampledata", "2026.1", "bokeh_sampledata") / "_data" / "CGM.csv.gz"
    read = pd.read_csv(data, parse_dates=["datetime"], na_values=["nil"])
    if list(read.columns) != COLUMNS:
        raise DataError(f"{data.name}: expected the columns {', '.join(COLUMNS)}, got {', '.join(read.columns)}")
    read = read.sort_values("datetime", kind="stable").assign(patient=1)
    once = read.drop_duplicates("datetime")
    firsts = once.groupby(once["datetime"].dt.floor(EVERY)).head(1)
    later = firsts["datetime"].add(AHEAD).map(once.set_index("datetime")["glucose"])
    rows = firsts.assign(in_60_minutes=later).dropna(subset=["in_60_minutes", "glucose"])
    moment = rows["datetime"]
    hours = moment.dt.hour + moment.dt.minute / 60
    share = (moment - moment.iloc[0]) / (moment.iloc[-1] - moment.iloc[0])
    edges = np.cumsum(list(PARTS.values()))[:-1]
    split = np.array(list(PARTS))[np.searchsorted(edges, share, "right")]
    # The time of day lies on a circle: 23:55 is near 0:05.
    turn = {"day_sin": np.sin(hours / 24 * 2 * np.pi), "day_cos": np.cos(hours / 24 * 2 * np.pi)}
    frame = pd.DataFrame(
        {"patient": 1, "at": moment, **{name: angle.round(4) for name, angle in turn.items()}, "split": split}
    ).assign(in_60_minutes=rows["in_60_minutes"])
    table, steps = Table.from_frame(frame.reset_index(drop=True)), Table.from_frame(read)
    for channel, name in (("glucose", "glucose"), ("isig", "current")):
        table = join_series(
            table, steps, id="patient", time="datetime", channels=[channel], name=name, before="at", last=PAST
        ).table
    path = folder / "glucose.parquet"
    with replacing(path) as beside:
        pq.write_table(table.data.drop(["patient"]), beside)
    return [path]
