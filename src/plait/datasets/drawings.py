"""Emoji, clip art and stamps with captions, to learn which belong together."""

from pathlib import Path

import numpy as np
import pandas as pd

from plait.datasets.emoji import write_emoji
from plait.datasets.openclipart import write_openclipart
from plait.datasets.packages import write_table
from plait.datasets.tuxpaint import write_tuxpaint

HELD_OUT = 200  # stamps
COLUMNS = ["picture", "caption", "source", "repeat"]
STAMPS_COUNT = 4  # times that a stamp is seen an epoch: they are few, and what is tested


def write_drawings(folder: Path, sources: tuple[Path, Path, Path] | None = None) -> list[Path]:
    """`train.csv` and `test.csv`: picture, caption, source, and how often a row is worth
    seeing (`data.repeat`). Tested on 200 Tux Paint stamps whose captions come once;
    learned from all emoji, clip art and the other stamps (but those that say the same as a test stamp).

    Args:
        folder: where to; each source's own table is beside them.
        sources: folders that hold the tables of emoji, Open Clip Art and Tux Paint; None to build them in `folder`.
    """
    if sources is None:
        tables = [
            write_emoji(folder / "emoji"),
            write_openclipart(folder / "openclipart"),
            write_tuxpaint(folder / "tuxpaint"),
        ]
        paths = [table[0] for table in tables]
    else:
        names = ("emoji.csv", "openclipart.csv", "tuxpaint.csv")
        paths = [source / name for source, name in zip(sources, names, strict=True)]
    emoji, art, stamps = (_read(path, folder) for path in paths)
    emoji["caption"], art["caption"] = emoji["name"], art["title"]
    emoji["repeat"], art["repeat"], stamps["repeat"] = 1, 1, STAMPS_COUNT
    # A caption that several stamps share can't tell which of them is meant, so it is not tested.
    once = stamps[~stamps["caption"].str.casefold().duplicated(keep=False)]
    chosen = np.random.default_rng(0).choice(once.index.to_numpy(), HELD_OUT, replace=False)
    test = stamps.loc[np.sort(chosen)]
    stamps = stamps.drop(index=chosen.tolist())
    train = pd.concat([emoji, art, stamps], ignore_index=True)[COLUMNS]
    train = train[~train["caption"].str.casefold().isin(test["caption"].str.casefold())]
    return [
        write_table(folder / "train.csv", train.to_numpy().tolist(), COLUMNS),
        write_table(folder / "test.csv", test[COLUMNS].to_numpy().tolist(), COLUMNS),
    ]


def _read(path: Path, folder: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, keep_default_na=False)
    frame["picture"] = [(path.parent / name).relative_to(folder).as_posix() for name in frame["picture"]]
    frame["source"] = path.stem
    return frame
