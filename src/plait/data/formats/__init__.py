"""Formats of captioned images that people bring, each read to the same table: `image`, `caption`, and what else
they say. `FORMATS` names those of one file by what tells them apart; `plait.data.readers` opens them.
"""

from collections.abc import Callable
from pathlib import Path

from plait.data.formats.captions import read_captions_json
from plait.data.formats.conversations import is_chat, read_chats
from plait.data.formats.flickr import is_flickr, read_flickr_csv, read_flickr_token
from plait.data.formats.hugging_face import (
    is_dataset,
    is_saved_dataset,
    read_dataset,
    read_hub_dataset,
    read_saved_dataset,
)
from plait.data.formats.uea import read_ts
from plait.data.formats.web_dataset import is_shards, read_shards
from plait.data.table import Table

FORMATS: dict[str, Callable[[Path], Table]] = {
    ".json": read_captions_json,
    ".token": read_flickr_token,
    ".tar": read_shards,
    ".ts": read_ts,
}

__all__ = [
    "FORMATS",
    "is_chat",
    "is_dataset",
    "is_flickr",
    "is_saved_dataset",
    "is_shards",
    "read_captions_json",
    "read_chats",
    "read_dataset",
    "read_flickr_csv",
    "read_flickr_token",
    "read_hub_dataset",
    "read_saved_dataset",
    "read_shards",
    "read_ts",
]
