"""Sentiments meet images and names by code point."""

import json
from pathlib import Path

import pandas as pd

from fakes import picture
from plait.datasets.emoji_sentiment import write_emoji_sentiment


def test_sentiments_meet_images_and_rare_emoji_are_left_out(tmp_path: Path) -> None:
    pictures, names, sentiment = tmp_path / "p", tmp_path / "n", tmp_path / "s"
    listed = [
        {"unified": "2764-FE0F", "image": "2764-fe0f.png"},
        {"unified": "00A9-FE0F", "image": "00a9-fe0f.png"},
        {"unified": "1F600", "image": "1f600.png"},
    ]
    for entry in listed:
        picture(pictures / "img" / "google" / "64" / entry["image"], "red")
    (pictures / "emoji.json").write_text(json.dumps(listed))
    (names / "en").mkdir(parents=True)
    labels = {"2764": "red heart", "00A9": "copyright", "1F600": "grinning face"}
    (names / "en" / "data.json").write_text(json.dumps([{"hexcode": c, "label": n} for c, n in labels.items()]))
    columns = ["Unicode codepoint", "Negative", "Neutral", "Positive"]
    seen = [("0x2764", 10, 20, 70), ("0xa9", 30, 20, 10), ("0x1f600", 1, 1, 1), ("0x1f601", 50, 50, 50)]
    (sentiment / "data").mkdir(parents=True)
    pd.DataFrame(seen, columns=columns).to_csv(sentiment / "data" / "Emoji_Sentiment_Data_v1.0.csv", index=False)
    (table,) = write_emoji_sentiment(tmp_path / "out", pictures, names, sentiment)
    assert pd.read_csv(table).values.tolist() == [
        ["pictures/2764-fe0f.png", "red heart", 0.6],
        ["pictures/00a9-fe0f.png", "copyright", -0.3333],
    ]
    assert (tmp_path / "out" / "pictures" / "00a9-fe0f.png").exists()
