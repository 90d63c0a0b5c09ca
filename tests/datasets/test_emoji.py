"""Emoji images meet their names."""

import json
from pathlib import Path

import pandas as pd

from fakes import picture
from plait.datasets.emoji import write_emoji


def test_emoji_pictures_meet_their_names(tmp_path: Path) -> None:
    pictures, names = tmp_path / "p", tmp_path / "n"
    listed = [
        {"unified": "2764-FE0F", "image": "2764-fe0f.png", "category": "Smileys", "subcategory": "heart"},
        {"unified": "1F600", "image": "1f600.png", "category": "Smileys", "subcategory": "face"},
        {"unified": "1F9FF", "image": "gone.png", "category": "Objects", "subcategory": "other"},
    ]
    data = [{"hexcode": "2764", "label": "red heart", "tags": ["love", "red"]}, {"hexcode": "1F9FF", "label": "amulet"}]
    picture(pictures / "img" / "google" / "64" / "2764-fe0f.png", "red")
    picture(pictures / "img" / "google" / "64" / "1f600.png", "green")
    (pictures / "emoji.json").write_text(json.dumps(listed))
    (names / "en").mkdir(parents=True)
    (names / "en" / "data.json").write_text(json.dumps(data))
    (table,) = write_emoji(tmp_path / "out", pictures, names)
    assert pd.read_csv(table).to_dict("records") == [
        {
            "picture": "pictures/2764-fe0f.png",
            "name": "red heart",
            "tags": "love;red",
            "group": "Smileys",
            "subgroup": "heart",
        }
    ]
