"""Small sets of the UCR and UEA archives of series, from the wheel of aeon: nothing of it is installed."""

from pathlib import Path

from plait.datasets.packages import copy_files, pypi_package

# Name here → in the archive.
ARCHIVE = {
    "gestures": "PickupGestureWiimoteZ",
    "gun-point": "GunPoint",
    "arrow-head": "ArrowHead",
    "italy-power": "ItalyPowerDemand",
    "basic-motions": "BasicMotions",
    "japanese-vowels": "JapaneseVowels",
}


def write_ucr(folder: Path, name: str, data: Path | None = None) -> list[Path]:
    """`train.ts` and `test.ts`, split as the archive splits them: series, label.

    Args:
        folder: where to.
        name: one of `ARCHIVE`.
        data: the folder of the archive's sets; None for that of aeon's wheel.
    """
    if data is None:
        data = pypi_package("aeon", "1.6.0", "aeon") / "datasets" / "data"
    source = data / ARCHIVE[name]
    tables = [folder / "train.ts", folder / "test.ts"]
    copy_files(
        [(source / f"{ARCHIVE[name]}_{part}.ts", table) for part, table in zip(("TRAIN", "TEST"), tables, strict=True)]
    )
    return tables
